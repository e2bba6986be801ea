//! Which address is which page.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::{get, post};

use crate::page::{
    access, activity, approvals, backup, codes, costs, device, error, guides, item, items, job,
    jobs, notifications, overview, policy, policy_edit, power, preferences, protect, restore,
    settings, sign_in, sign_in_code, sign_in_outside, stop, vault, vault_new, vault_protect,
    vaults, vm, vms, welcome,
};
use crate::page::{guards, guest_log};
use crate::state::{App, PortalState};
use crate::{assets, guard, live};

/// The portal: everything under `/portal/`, and `/`, which leads there. Mounted beside the API.
pub fn router(given: PortalState) -> Router {
    let app = App::new(given);
    let pages = Router::new()
        .route("/portal/", get(overview::show))
        .route("/portal/welcome", get(welcome::show).post(welcome::finish))
        .route("/portal/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/portal/sign-in/provider", get(sign_in_outside::leave))
        .route("/portal/sign-in/provider/back", get(sign_in_outside::back))
        .route("/portal/sign-in/code", get(sign_in_code::show).post(sign_in_code::check))
        .route("/portal/sign-out", post(sign_in::sign_out))
        .route("/portal/preferences", post(preferences::change))
        .route("/portal/vms", get(vms::show))
        .route("/portal/vms/refresh", post(power::refresh))
        .route("/portal/vms/{id}", get(vm::show))
        .route("/portal/vms/{id}/log", get(guest_log::show))
        .route("/portal/vms/{id}/power", post(power::change))
        .route("/portal/vms/{id}/protect", get(protect::show).post(protect::enable))
        .route("/portal/vaults", get(vaults::show))
        .route("/portal/vaults/new", get(vault_new::show).post(vault_new::create))
        .route("/portal/vaults/{id}", get(vault::show))
        .route("/portal/vaults/{id}/redundancy", post(vault::set_redundancy))
        .route("/portal/vaults/{id}/delete", post(vault::delete))
        .route("/portal/vaults/{id}/costs", get(costs::show))
        .route("/portal/vaults/{id}/policy-new", get(policy_edit::new).post(policy_edit::create))
        .route("/portal/vaults/{id}/policy-preview", post(policy_edit::preview))
        .route(
            "/portal/vaults/{id}/policies/{name}",
            get(policy_edit::edit).post(policy_edit::change),
        )
        .route("/portal/vaults/{id}/policies/{name}/delete", post(policy_edit::delete))
        .route("/portal/vaults/{id}/protect", get(vault_protect::show).post(vault_protect::enable))
        .route("/portal/items", get(items::show))
        .route("/portal/items/{id}", get(item::show))
        .route("/portal/items/{id}/backup", get(backup::show).post(backup::start))
        .route("/portal/items/{id}/policy", get(policy::show).post(policy::change))
        .route("/portal/items/{id}/stop", get(stop::show).post(stop::stop))
        .route("/portal/items/{id}/undelete", post(item::undelete))
        .route(
            "/portal/items/{item}/points/{point}/restore",
            get(restore::show).post(restore::start),
        )
        .route("/portal/jobs", get(jobs::show))
        .route("/portal/jobs/{id}", get(job::show))
        .route("/portal/jobs/{id}/live", get(job::fragment))
        .route("/portal/jobs/{id}/cancel", post(job::cancel))
        .route("/portal/events", get(live::events))
        .route("/portal/notifications", get(notifications::show))
        .route("/portal/notifications/bell", get(notifications::bell))
        .route("/portal/notifications/read", post(notifications::read))
        .route("/portal/activity", get(activity::show))
        .route("/portal/guides", get(guides::show))
        .route("/portal/guides/first-look", get(guides::first_look))
        .route("/portal/guides/vm-snapshot", get(guides::extension))
        .merge(people())
        .route("/portal/static/{file}", get(assets::serve))
        .route("/portal/{*rest}", get(error::no_page).post(error::no_page))
        .method_not_allowed_fallback(error::no_method)
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app);
    let home = || async { Redirect::to("/portal/") };
    Router::new().route("/", get(home)).route("/portal", get(home)).merge(pages)
}

/// Settings: who may do what, and what takes two.
fn people() -> Router<App> {
    Router::new()
        .route("/portal/approvals", get(approvals::show))
        .route("/portal/approvals/{vault}/{id}", post(approvals::decide))
        .route("/portal/guards", get(guards::show).post(guards::put))
        .route("/portal/guards/bind", post(guards::bind))
        .route("/portal/guards/delete", post(guards::delete))
        .route("/portal/settings", get(settings::show))
        .route("/portal/settings/access", get(access::show).post(access::create))
        .route("/portal/settings/access/{id}/roles", post(access::change_roles))
        .route("/portal/settings/access/{id}/secret", post(access::renew))
        .route("/portal/settings/access/{id}/certificate", post(access::certificate))
        .route("/portal/settings/access/{id}/codes", post(access::reset_codes))
        .route("/portal/settings/codes", get(codes::show).post(codes::change))
        .route("/portal/device", get(device::show).post(device::decide))
        .route("/portal/settings/password", get(access::password).post(access::change_password))
}
