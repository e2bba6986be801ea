//! Starting and stopping machines that the service runs, and looking for new ones.

use axum::Form;
use axum::extract::{Path, State};
use coffre_control::id::VmId;
use coffre_control::usecase::{Power, power_vm, refresh_containers};
use serde::Deserialize;

use crate::page::parse_id;
use crate::page::prelude::*;

/// What the button sends.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Wish {
    /// `start` or `stop`.
    #[serde(default)]
    power: String,
}

/// `POST /portal/vms/{id}/power`.
pub(crate) async fn change(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(wish): Form<Wish>,
) -> Answer {
    let id: VmId = parse_id(&id)?;
    let power = match wish.power.as_str() {
        "start" => Power::Start,
        "stop" => Power::Stop { graceful: true },
        _ => return Err(Problem::NoPage),
    };
    let accepted = app
        .change("portal_power", view.caller(), move |tx, cx| power_vm(tx, cx, id, power, ""))
        .await?;
    go(format!("/portal/jobs/{}", accepted.job.id))
}

/// `POST /portal/vms/refresh`.
pub(crate) async fn refresh(State(app): State<App>, view: View) -> Answer {
    let accepted = app
        .change("portal_refresh", view.caller(), |tx, cx| refresh_containers(tx, cx, ""))
        .await?;
    go(format!("/portal/jobs/{}", accepted.job.id))
}
