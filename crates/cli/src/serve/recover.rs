//! What the service does first, whatever ended the last one: nobody who died may leave a guest
//! frozen, a snapshot behind, or a job that nobody works on.

use coffre_control::model::{Job, JobKind, JobStatus, Step, StepStatus};
use coffre_control::port::JobFilter;
use coffre_control::usecase::adopt_orphans;
use coffre_control::{Refusal, model};
use coffre_engine::Failure;
use coffre_vault::Vault;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::service::Service;

/// Runs once, before any worker: this process holds the data folder alone, so that every lease of
/// another owner is of a process that is gone.
pub(crate) fn at_start(service: &Service) -> Result<(), Refusal> {
    let jobs = running_jobs(service)?;
    for job in &jobs {
        if was_in_snapshot(job) {
            thaw(service, job);
        }
    }
    clean(service, &jobs);
    let adopted = service.tx("adopt orphans", |tx| adopt_orphans(tx, service.owner))?;
    if !adopted.is_empty() {
        info!(jobs = adopted.len(), "going on with jobs of the last run");
    }
    Ok(())
}

/// Ends what ended jobs left in machines that no job works on.
pub(crate) fn clean_idle_machines(service: &Service) {
    match running_jobs(service) {
        Ok(jobs) => clean(service, &jobs),
        Err(refusal) => error!(%refusal, "cannot list the jobs"),
    }
}

fn running_jobs(service: &Service) -> Result<Vec<Job>, Refusal> {
    let statuses = vec![JobStatus::InProgress, JobStatus::Cancelling];
    let filter = JobFilter { statuses, ..JobFilter::default() };
    service.read("running jobs", |tx| Ok(tx.jobs(&filter)?))
}

/// Whether a guest may have been frozen for the job when its worker died.
fn was_in_snapshot(job: &Job) -> bool {
    job.steps
        .iter()
        .any(|record| record.step == Step::TakeSnapshot && record.status == StepStatus::InProgress)
}

fn thaw(service: &Service, job: &Job) {
    let Some(vm) = job.vm else { return };
    match service.hypervisors.machine(vm.uuid()).and_then(|machine| machine.thaw()) {
        Ok(()) => info!(vm = %job.name, "made sure that the guest is not frozen"),
        Err(error) => warn!(vm = %job.name, %error, "cannot make sure that the guest is thawed"),
    }
}

fn clean(service: &Service, jobs: &[Job]) {
    for (hypervisor, machines) in service.hypervisors.machines() {
        let machines = match machines {
            Ok(machines) => machines,
            Err(error) => {
                warn!(hypervisor, %error, "the hypervisor does not answer");
                continue;
            }
        };
        for info in machines {
            // A job that begins meanwhile waits for the claim; one that runs keeps us out.
            let Some(_claim) = service.claims.take(info.id) else { continue };
            if let Err(failure) = clean_machine(service, info.id, jobs) {
                warn!(vm = %info.name, %failure, "cannot clean up after earlier backups");
            }
        }
    }
}

fn clean_machine(service: &Service, id: Uuid, jobs: &[Job]) -> Result<(), Failure> {
    let machine = match service.hypervisors.machine(id) {
        Ok(machine) => machine,
        // It went away since it was listed.
        Err(_) => return Ok(()),
    };
    let keep: Vec<Uuid> = jobs
        .iter()
        .filter(|job| job.vm.is_some_and(|vm| vm.uuid() == id))
        .filter_map(|job| match &job.kind {
            JobKind::Backup { point, .. } => Some(point.uuid()),
            _ => None,
        })
        .collect();
    let left = machine.leftovers().map_err(|error| Failure::fabric("list leftovers", &error))?;
    if left.iter().any(|point| !keep.contains(point)) {
        let vault = vault_of(service, id)?;
        coffre_engine::clean(&*machine, vault.as_ref(), &keep)?;
    }
    if keep.is_empty() {
        let resumed = machine
            .resume_if_paused_by_us()
            .map_err(|error| Failure::fabric("resume the machine", &error))?;
        if resumed {
            warn!(machine = %id, "let a machine run on that waited for scratch space");
        }
    }
    Ok(())
}

/// The vault that protects a machine; `None` = none does, so that no point of it is wanted.
fn vault_of(service: &Service, machine: Uuid) -> Result<Option<Vault>, Failure> {
    let row = service.read("vault of machine", |tx| {
        let item: Option<model::ProtectedItem> = tx.item_of_vm(machine.into())?;
        match item {
            Some(item) => Ok(tx.vault(item.vault)?),
            None => Ok(None),
        }
    });
    let row = row.map_err(|refusal| {
        Failure::new(
            coffre_engine::Class::Internal,
            coffre_engine::Retry::Never,
            refusal.to_string(),
        )
    })?;
    row.map(|row| service.stores.open(&row)).transpose()
}
