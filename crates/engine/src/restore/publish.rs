//! The last step of a restore, and the one that removes what a restore wrote.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use coffre_fabric::qemu::MachineDefinition;
use serde_json::{Value, json};

use super::local;
use super::place::{self, file_name, image_name, plan, point_and_metadata, staging_folder};
use super::{RestoreContext, RestoreTarget, Source};
use crate::crash;
use crate::{Class, Failure, Retry};

/// The description beside restored disks.
const DESCRIPTION: &str = "vm.json";

/// What came of publishing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishFacts {
    /// The folder that was made; `None` for a restore in place.
    pub folder: Option<PathBuf>,
    /// The disks: (key, image).
    pub images: Vec<(String, PathBuf)>,
}

/// Step 4: what was written becomes what people see, by renames.
///
/// # Errors
/// [`Class::MachineMustBeOff`], [`Class::TargetUnusable`].
pub fn publish(cx: &RestoreContext<'_>) -> Result<PublishFacts, Failure> {
    crash::here("restore.publish.begun");
    let facts = match &cx.spec.target {
        RestoreTarget::Folder { account, name } => publish_folder(cx, account, name)?,
        RestoreTarget::InPlace if local::is_wanted(cx) => local::publish(cx)?,
        RestoreTarget::InPlace => publish_in_place(cx)?,
        RestoreTarget::NewMachine { images, definitions, name, .. } => {
            let facts = publish_folder(cx, images, name)?;
            define_machine(cx, definitions, name, &facts)?;
            facts
        }
    };
    crash::here("restore.publish.done");
    Ok(facts)
}

/// The undo of every step: nothing of the restore stays.
///
/// Disks that were replaced already are put back.
///
/// # Errors
/// What the file system or the machine met.
pub fn remove(cx: &RestoreContext<'_>) -> Result<(), Failure> {
    if let Some(folder) = staging_folder(cx.spec) {
        return remove_folder(&folder);
    }
    if let Some(machine) = cx.machine {
        // Only then it was begun. The images that a restore from the vault replaces may be past reading.
        if cx.spec.source == Source::Local {
            machine
                .revert_roll_back(cx.spec.job)
                .map_err(|error| Failure::fabric("undo the roll-back of the disks", &error))?;
        }
        machine
            .revert_replaced_disks()
            .map_err(|error| Failure::fabric("put the old disks back", &error))?;
    }
    match plan(cx) {
        Ok(disks) => disks.iter().try_for_each(|disk| place::remove_file(&disk.staged)),
        // Nothing was ever written when not even the plan could be made.
        Err(failure) if matches!(failure.class, Class::PointMissing | Class::DiskMissing) => Ok(()),
        Err(failure) if failure.class == Class::MachineGone => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Whether an earlier call of [`publish`] was through with its renames.
pub(super) fn is_published(cx: &RestoreContext<'_>) -> Result<bool, Failure> {
    match &cx.spec.target {
        RestoreTarget::Folder { account, name } => {
            Ok(published_folder(cx, account, name).is_some())
        }
        RestoreTarget::NewMachine { images, name, .. } => {
            Ok(published_folder(cx, images, name).is_some())
        }
        // A restore in place that is repeated writes again: the machine is off until it ends.
        RestoreTarget::InPlace => Ok(false),
    }
}

fn publish_folder(
    cx: &RestoreContext<'_>,
    parent: &Path,
    name: &str,
) -> Result<PublishFacts, Failure> {
    let folder = match published_folder(cx, parent, name) {
        Some(folder) => folder,
        None => {
            let staging = staging_folder(cx.spec).expect("this target has a folder");
            write_description(cx, &staging)?;
            let folder = free_name(cx, parent, name);
            fs::rename(&staging, &folder)
                .map_err(|error| Failure::target("publish", &folder, &error))?;
            crash::here("restore.publish.placed");
            folder
        }
    };
    sync_folder(parent)?;
    let (point, metadata) = point_and_metadata(cx)?;
    let mut images = Vec::new();
    for (index, disk) in point.disks.iter().enumerate() {
        let format = place::image_format(&metadata, &disk.key);
        let image = folder.join(image_name(&disk.key, index, format));
        if image.exists() {
            images.push((disk.key.clone(), image));
        }
    }
    Ok(PublishFacts { folder: Some(folder), images })
}

/// The folder that an earlier call of this job published, if there is one.
fn published_folder(cx: &RestoreContext<'_>, parent: &Path, name: &str) -> Option<PathBuf> {
    candidates(cx, parent, name).into_iter().find(|folder| {
        let text = fs::read(folder.join(DESCRIPTION)).unwrap_or_default();
        let description: Value = serde_json::from_slice(&text).unwrap_or_default();
        description["restoreJob"] == json!(cx.spec.job)
    })
}

fn free_name(cx: &RestoreContext<'_>, parent: &Path, name: &str) -> PathBuf {
    let [first, second] = candidates(cx, parent, name);
    if first.exists() { second } else { first }
}

fn candidates(cx: &RestoreContext<'_>, parent: &Path, name: &str) -> [PathBuf; 2] {
    let name = file_name(name);
    let job = cx.spec.job.simple().to_string();
    [parent.join(&name), parent.join(format!("{name}-{}", &job[..8]))]
}

fn write_description(cx: &RestoreContext<'_>, folder: &Path) -> Result<(), Failure> {
    let (point, metadata) = point_and_metadata(cx)?;
    let disks: Vec<Value> = plan(cx)?
        .iter()
        .map(|disk| {
            json!({
                "key": disk.key,
                "lun": disk.lun,
                "sizeBytes": disk.size_bytes,
                "format": disk.format.as_str(),
                "file": disk.staged.file_name().map(|name| name.to_string_lossy()),
            })
        })
        .collect();
    let description = json!({
        "restoreJob": cx.spec.job,
        "recoveryPoint": point.id,
        "timeUnixMs": point.time_unix_ms,
        "consistency": metadata.consistency,
        "consistencyReason": metadata.consistency_reason,
        "disks": disks,
        "machine": metadata.machine,
    });
    let mut text = serde_json::to_string_pretty(&description).expect("plain data becomes JSON");
    text.push('\n');
    write_whole(&folder.join(DESCRIPTION), text.as_bytes())?;
    sync_folder(folder)
}

fn publish_in_place(cx: &RestoreContext<'_>) -> Result<PublishFacts, Failure> {
    let doing = "replace the disks";
    place::must_be_off(cx)?;
    let machine = cx.machine.expect("must_be_off refuses without a machine");
    let disks = plan(cx)?;
    // All of them are gone when an earlier call was through: replaced, and the old ones removed.
    if disks.iter().any(|disk| disk.staged.exists()) {
        let images: Vec<(String, PathBuf)> =
            disks.iter().map(|disk| (disk.key.clone(), disk.staged.clone())).collect();
        machine.replace_disks(&images).map_err(|error| Failure::fabric(doing, &error))?;
        crash::here("restore.publish.placed");
    }
    machine.confirm_replaced_disks().map_err(|error| Failure::fabric(doing, &error))?;
    let info = machine.info().map_err(|error| Failure::fabric(doing, &error))?;
    let images = disks
        .into_iter()
        .filter_map(|disk| info.disk(&disk.key).ok().map(|there| (disk.key, there.path.clone())))
        .collect();
    Ok(PublishFacts { folder: None, images })
}

/// Writes the definition of the new machine; it exists from this moment.
fn define_machine(
    cx: &RestoreContext<'_>,
    definitions: &Path,
    name: &str,
    facts: &PublishFacts,
) -> Result<(), Failure> {
    let RestoreTarget::NewMachine { id, .. } = cx.spec.target else { return Ok(()) };
    let (_, metadata) = point_and_metadata(cx)?;
    let mut definition: MachineDefinition = serde_json::from_value(metadata.machine.config.clone())
        .map_err(|error| {
            let message = format!(
                "the description of the machine in the recovery point cannot be used for a new \
                 one ({error}); restore its disks instead"
            );
            Failure::new(Class::TargetUnusable, Retry::Never, message)
        })?;
    let formats = |key: &str| place::image_format(&metadata, key);
    definition.id = id;
    name.clone_into(&mut definition.name);
    definition.managed = true;
    definition.qmp_socket = None;
    definition.agent_socket = None;
    definition.console_log = None;
    definition.disks.retain_mut(|disk| {
        let image = facts.images.iter().find(|(key, _)| *key == disk.key);
        if let Some((_, path)) = image {
            disk.path.clone_from(path);
            disk.format = formats(&disk.key);
        }
        image.is_some()
    });
    let text = toml::to_string(&definition).map_err(|error| {
        let message = format!("describe the new machine: {error}");
        Failure::new(Class::Internal, Retry::Never, message)
    })?;
    let path = definitions.join(format!("{}.toml", file_name(name)));
    if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    if path.exists() {
        let error = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(Failure::target("define the machine in", &path, &error));
    }
    let staged = path.with_extension("toml.part");
    write_whole(&staged, text.as_bytes())?;
    fs::rename(&staged, &path)
        .map_err(|error| Failure::target("define the machine in", &path, &error))?;
    sync_folder(definitions)
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::target("write", path, &error))
}

fn sync_folder(folder: &Path) -> Result<(), Failure> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Failure::target("make durable", folder, &error))
}

fn remove_folder(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::target("remove", folder, &error)),
    }
}
