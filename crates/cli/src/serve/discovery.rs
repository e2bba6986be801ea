//! Looks at the hypervisors every few seconds and records what is there.

use std::time::Duration;

use coffre_control::usecase::{
    Discovered, Discovery, list_subscriptions, record_hypervisor_away, record_vms,
};
use coffre_control::{Caller, Cx};
use jiff::SignedDuration;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::convert;
use super::recover;
use super::service::Service;

/// Resource group in which machines show that nobody put elsewhere.
pub(crate) const GROUP: &str = "local";
/// Every so many looks, what earlier jobs left in the machines is looked for as well.
const LOOKS_PER_CLEANING: u32 = 12;

/// Operations stay readable for so long after they were made.
const OPERATIONS_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Looks again and again until the service stops.
pub(crate) fn run(service: &Service, pause: Duration) {
    let mut looks = 0_u32;
    while !service.is_stopping() {
        let heard = service.bell.heard();
        look(service);
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOOKS_PER_CLEANING) {
            recover::clean_idle_machines(service);
            tidy(service);
        }
        // A ring means work for the workers; a look is worth its time only now and then.
        sleep(service, heard, pause);
    }
}

/// Forgets operations that nobody polls any more.
fn tidy(service: &Service) {
    let Ok(before) = service.now().checked_sub(OPERATIONS_KEPT) else { return };
    let tidied = service.tx("tidy", |tx| Ok(tx.delete_operations_before(before)?));
    if let Err(refusal) = tidied {
        error!(%refusal, "cannot tidy up");
    }
}

/// Sleeps so long, or until the service stops.
pub(crate) fn sleep(service: &Service, mut heard: u64, pause: Duration) {
    let begun = std::time::Instant::now();
    while !service.is_stopping() {
        let Some(left) = pause.checked_sub(begun.elapsed()) else { return };
        service.bell.sleep(heard, left);
        heard = service.bell.heard();
    }
}

/// Looks once.
pub(crate) fn look(service: &Service) {
    for (name, machines) in service.hypervisors.machines() {
        let now = service.now();
        let recorded = match machines {
            Ok(machines) => service.tx("record machines", |tx| {
                let caller = Caller::system();
                let ids = Uuid::new_v4;
                let cx = Cx::new(&caller, now, &ids);
                let mut total = Discovered::default();
                // Machines show in the first subscription; more come with more tenants.
                if let Some(first) = list_subscriptions(tx, &cx)?.into_iter().next() {
                    let found = Discovery {
                        hypervisor: name.to_owned(),
                        subscription: first.id,
                        group: GROUP.to_owned(),
                        region: service.region.clone(),
                        machines: machines.into_iter().map(convert::machine).collect(),
                    };
                    total = record_vms(tx, found, now)?;
                }
                Ok(total)
            }),
            Err(error) => {
                warn!(hypervisor = name, %error, "the hypervisor does not answer");
                let away = service.tx("record absence", |tx| record_hypervisor_away(tx, name, now));
                away.map(|()| Discovered::default())
            }
        };
        match recorded {
            Ok(found) if found == Discovered::default() => {}
            Ok(found) => info!(
                hypervisor = name,
                added = found.added,
                changed = found.changed,
                gone = found.gone,
                "machines changed"
            ),
            Err(refusal) => error!(hypervisor = name, %refusal, "cannot record machines"),
        }
    }
}
