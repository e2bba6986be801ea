//! What each step of a job does: the bridge from rows to the engine.

mod backup;
mod restore;

use std::sync::Arc;
use std::time::Duration;

use coffre_control::ErrorCode;
use coffre_control::model::{Job, JobKind, JobWarning, Step, Vault as VaultRow};
use coffre_control::port::Tx;
use coffre_control::{Class as RefusalClass, Refusal};
use coffre_engine::{Class, Failure, Retry, Warning};
use coffre_fabric::{FabricError, Machine, Stop};
use coffre_vault::Vault;

use super::discovery;
use super::meter::Meter;
use super::service::Service;
use super::worker::Outcome;

/// A guest that did not shut down in this time loses its power.
const SHUTDOWN_MAX: Duration = Duration::from_secs(90);

/// Performs a step. May be called again for the same step after any crash or failure.
pub(crate) fn perform(
    service: &Service,
    job: &Job,
    step: Step,
    meter: &Meter,
) -> Result<Outcome, Failure> {
    match step {
        Step::TakeSnapshot => backup::take_snapshot(service, job),
        Step::TransferToVault => backup::transfer(service, job, meter),
        Step::ValidatePoint => backup::validate(service, job, meter),
        Step::ReleaseSnapshot => backup::release(service, job),
        Step::PrepareRestore => restore::prepare(service, job),
        Step::TransferFromVault => restore::transfer(service, job, meter),
        Step::ValidateRestore => restore::validate(service, job, meter),
        Step::PublishRestore => restore::publish(service, job),
        Step::DeletePoints => backup::delete_points(service, job),
        Step::StartMachine => {
            let machine = needed_machine(service, job)?;
            machine.start().map_err(|error| Failure::fabric("start the machine", &error))?;
            discovery::look(service);
            Ok(Outcome::nothing())
        }
        Step::StopMachine => {
            stop(service, job)?;
            discovery::look(service);
            Ok(Outcome::nothing())
        }
        Step::DiscoverMachines => {
            discovery::look(service);
            Ok(Outcome::nothing())
        }
    }
}

/// Undoes a step that was begun. May be called again.
pub(crate) fn undo(service: &Service, job: &Job, step: Step) -> Result<(), Failure> {
    match step {
        Step::TakeSnapshot => backup::release(service, job).map(drop),
        Step::TransferToVault => backup::forget(service, job),
        Step::TransferFromVault | Step::PublishRestore => restore::remove(service, job),
        Step::PrepareRestore => {
            restore::remove(service, job)?;
            restore::turn_on_again(service, job)
        }
        Step::ValidatePoint
        | Step::ReleaseSnapshot
        | Step::ValidateRestore
        | Step::DeletePoints
        | Step::StartMachine
        | Step::StopMachine
        | Step::DiscoverMachines => Ok(()),
    }
}

fn stop(service: &Service, job: &Job) -> Result<(), Failure> {
    let how = match job.kind {
        JobKind::StopVm { graceful: false } => Stop::Now,
        _ => Stop::Graceful { timeout: SHUTDOWN_MAX },
    };
    needed_machine(service, job)?
        .stop(how)
        .map_err(|error| Failure::fabric("stop the machine", &error))
}

/// The machine of the job; `None` = no hypervisor has it any more.
fn machine(service: &Service, job: &Job) -> Result<Option<Arc<dyn Machine>>, Failure> {
    let Some(vm) = job.vm else { return Ok(None) };
    match service.hypervisors.machine(vm.uuid()) {
        Ok(machine) => Ok(Some(machine)),
        Err(FabricError::UnknownMachine(_)) => Ok(None),
        Err(error) => Err(Failure::fabric("find the machine", &error)),
    }
}

fn needed_machine(service: &Service, job: &Job) -> Result<Arc<dyn Machine>, Failure> {
    machine(service, job)?.ok_or_else(|| {
        let message = format!("no hypervisor has the virtual machine {} any more", job.name);
        Failure::new(Class::MachineGone, Retry::Never, message)
    })
}

/// The vault of the job, with its store open.
fn vault(service: &Service, job: &Job) -> Result<(VaultRow, Vault), Failure> {
    let row = look(service, "vault of job", |tx| match job.vault {
        Some(id) => Ok(tx.vault(id)?),
        None => Ok(None),
    })?;
    let row = row.ok_or_else(|| row_missing("vault"))?;
    let store = service.stores.open(&row)?;
    Ok((row, store))
}

/// Looks something up for a step.
fn look<T>(
    service: &Service,
    name: &'static str,
    work: impl FnOnce(&mut dyn Tx) -> Result<T, Refusal>,
) -> Result<T, Failure> {
    service.read(name, work).map_err(|refusal| {
        let retry = match refusal.code.class() {
            RefusalClass::Unavailable | RefusalClass::Internal | RefusalClass::Conflict => {
                Retry::After(Duration::from_secs(5))
            }
            RefusalClass::Unauthorized
            | RefusalClass::Forbidden
            | RefusalClass::NotFound
            | RefusalClass::Precondition
            | RefusalClass::Invalid => Retry::Never,
        };
        Failure::new(Class::Internal, retry, format!("{name}: {}", refusal.message))
    })
}

fn row_missing(noun: &str) -> Failure {
    Failure::new(Class::Internal, Retry::Never, format!("the {noun} of the job is gone"))
}

/// A warning of the engine as the job's row keeps it.
fn warning(warning: Warning) -> JobWarning {
    let (code, message) = match warning {
        Warning::AgentSilent(why) => (
            ErrorCode::UserErrorGuestAgentStatusUnavailable,
            format!("The recovery point is only crash-consistent: {why}."),
        ),
        Warning::FreezeFailed(why) => (
            ErrorCode::UserErrorFsFreezeFailed,
            format!("The recovery point is only crash-consistent: {why}."),
        ),
        Warning::MachineGone => (
            ErrorCode::UserErrorVmNotFoundV2,
            "The virtual machine is gone; its snapshot went with it.".to_owned(),
        ),
    };
    JobWarning { code, message }
}
