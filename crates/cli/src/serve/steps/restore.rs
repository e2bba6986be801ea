//! The steps of a restore.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use coffre_control::job::StepFacts;
use coffre_control::model::{
    Job, JobKind, PointTier, PreparedFacts, RestoreFacts, RestoreTarget as Wish, RestoredFile,
};
use coffre_engine::{
    Class, DiskChoice, Failure, PublishFacts, RestoreContext, RestoreSpec, RestoreTarget, Retry,
    Source,
};
use coffre_fabric::{Machine, PowerState};
use coffre_vault::Vault;

use super::{look, machine, row_missing, vault};
use crate::serve::discovery;
use crate::serve::meter::Meter;
use crate::serve::service::Service;
use crate::serve::worker::Outcome;

/// Size of a block in which file systems count.
const STAT_BLOCK_BYTES: u64 = 512;

pub(super) fn prepare(service: &Service, job: &Job) -> Result<Outcome, Failure> {
    let source = if has_copy(service, job)? { Source::Local } else { Source::Vault };
    let facts = with_source(service, job, source, coffre_engine::prepare)?;
    let doubt = facts
        .doubt
        .map(|doubt| format!("The restore takes the recovery point from the vault: {doubt}."));
    let prepared = PreparedFacts { from_copy: facts.source == Source::Local, doubt };
    Ok(Outcome { facts: StepFacts::Prepared(prepared), warnings: Vec::new() })
}

pub(super) fn transfer(service: &Service, job: &Job, meter: &Meter) -> Result<Outcome, Failure> {
    with_context(service, job, |cx| coffre_engine::restore_transfer(cx, meter))?;
    Ok(Outcome::nothing())
}

pub(super) fn validate(service: &Service, job: &Job, meter: &Meter) -> Result<Outcome, Failure> {
    with_context(service, job, |cx| coffre_engine::restore_validate(cx, meter))?;
    Ok(Outcome::nothing())
}

pub(super) fn publish(service: &Service, job: &Job) -> Result<Outcome, Failure> {
    let facts = with_context(service, job, coffre_engine::publish)?;
    if let (JobKind::Restore { target: Wish::InPlace { .. }, .. }, Some(vm)) = (&job.kind, job.vm) {
        // New images have no copies of points.
        service.suspects.add(vm);
    }
    discovery::look(service);
    Ok(Outcome { facts: StepFacts::Restore(files(facts)), warnings: Vec::new() })
}

pub(super) fn remove(service: &Service, job: &Job) -> Result<(), Failure> {
    with_context(service, job, coffre_engine::remove)
}

/// The last part of the undo: a machine that ran before the restore runs again.
pub(super) fn turn_on_again(service: &Service, job: &Job) -> Result<(), Failure> {
    let JobKind::Restore { target: Wish::InPlace { restart: true, .. }, .. } = &job.kind else {
        return Ok(());
    };
    // A machine that is gone has nothing to turn on.
    let Some(machine) = machine(service, job)? else { return Ok(()) };
    let doing = "turn the machine on again";
    let info = machine.info().map_err(|error| Failure::fabric(doing, &error))?;
    if info.power == PowerState::Stopped {
        machine.start().map_err(|error| Failure::fabric(doing, &error))?;
        discovery::look(service);
    }
    Ok(())
}

/// Whether the point is said to have a copy beside the disks that it is to be restored to.
fn has_copy(service: &Service, job: &Job) -> Result<bool, Failure> {
    let JobKind::Restore { point, target: Wish::InPlace { .. } } = &job.kind else {
        return Ok(false);
    };
    let row = look(service, "recovery point of job", |tx| Ok(tx.point(*point)?))?;
    Ok(row.is_some_and(|row| row.tiers.contains(&PointTier::Instant)))
}

/// With the source that the first step chose.
fn with_context<T>(
    service: &Service,
    job: &Job,
    work: impl FnOnce(&RestoreContext<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let from_copy = job.facts.prepared.as_ref().is_some_and(|prepared| prepared.from_copy);
    let source = if from_copy { Source::Local } else { Source::Vault };
    with_source(service, job, source, work)
}

fn with_source<T>(
    service: &Service,
    job: &Job,
    source: Source,
    work: impl FnOnce(&RestoreContext<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let JobKind::Restore { point, target } = &job.kind else {
        return Err(row_missing("recovery point"));
    };
    let (_, store): (_, Vault) = vault(service, job)?;
    let (target, disks) = target_of(service, job, target)?;
    let machine: Option<Arc<dyn Machine>> = machine(service, job)?;
    let (job, point) = (job.id.uuid(), point.uuid());
    let spec = RestoreSpec { job, point, disks, target, source };
    work(&RestoreContext { vault: &store, machine: machine.as_deref(), spec: &spec })
}

fn target_of(
    service: &Service,
    job: &Job,
    wish: &Wish,
) -> Result<(RestoreTarget, DiskChoice), Failure> {
    let choice = |luns: &Option<Vec<u32>>| luns.clone().map_or(DiskChoice::All, DiskChoice::Luns);
    match wish {
        Wish::Disks { luns, folder, .. } => {
            let folder = PathBuf::from(folder);
            let (Some(account), Some(name)) = (folder.parent(), folder.file_name()) else {
                return Err(row_missing("target folder"));
            };
            let name = name.to_string_lossy().into_owned();
            Ok((RestoreTarget::Folder { account: account.to_owned(), name }, choice(luns)))
        }
        Wish::InPlace { luns, .. } => Ok((RestoreTarget::InPlace, choice(luns))),
        Wish::NewVm { name, .. } => {
            let Some(definitions) = service.hypervisors.definitions() else {
                let message = "no hypervisor of the service has a folder of machines that it \
                               manages; restore the disks instead";
                return Err(Failure::new(Class::TargetUnusable, Retry::Never, message));
            };
            let target = RestoreTarget::NewMachine {
                images: service.images.clone(),
                definitions: definitions.to_owned(),
                name: name.clone(),
                id: job.id.uuid(),
            };
            Ok((target, DiskChoice::All))
        }
    }
}

fn files(facts: PublishFacts) -> RestoreFacts {
    let mut restored = RestoreFacts::default();
    for (disk, path) in facts.images {
        // What the file takes up on the disk: zeros were not written.
        let written = path.metadata().map_or(0, |file| file.blocks() * STAT_BLOCK_BYTES);
        restored.written_bytes += written;
        restored.files.push(RestoredFile { disk, path: path.to_string_lossy().into_owned() });
    }
    if let Some(folder) = facts.folder {
        let path = folder.join("vm.json").to_string_lossy().into_owned();
        restored.files.push(RestoredFile { disk: String::new(), path });
    }
    restored
}
