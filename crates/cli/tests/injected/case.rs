//! One run of the program that is disturbed, and what must hold after it.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use coffre_vault::bucket::{self, Bucket};
use coffre_vault::{
    BlockSink, BlockWriter, CollectOptions, NoProgress, RecoveryKey, Unlock, Vault, VerifyScope,
};
use uuid::Uuid;

use crate::strace::Injection;

const BLOCK: usize = 65_536;

/// A vault before the run, and the run.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    words: Vec<String>,
    /// The point that the run deletes.
    deletes: Option<Uuid>,
    template: &'static Template,
}

/// A vault with two points, one more that is deleted, and the image that is backed up next.
struct Template {
    folder: tempfile::TempDir,
    recovery: RecoveryKey,
    /// Points with what they restore to.
    points: Vec<(Uuid, Vec<u8>)>,
    next: Vec<u8>,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(Template::make)
}

fn coffre(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coffre"));
    command.args(words).args(["--store", &format!("file://{}/store", folder.display())]);
    command.arg("--passphrase-file").arg(folder.join("pass"));
    command.args(["--output", "json"]);
    command
}

fn ask(folder: &Path, words: &[&str]) -> serde_json::Value {
    let output = coffre(folder, words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null)
}

/// Blocks that repeat a number, blocks of noise, and holes.
fn image(seed: u8) -> Vec<u8> {
    let mut data = vec![0; 12 * BLOCK];
    for (at, block) in data.chunks_mut(BLOCK).enumerate() {
        match at % 4 {
            0 => block.fill(seed.wrapping_add(u8::try_from(at).unwrap())),
            1 => noise(block, u64::from(seed) + 1),
            2 => noise(block, 1000 + at as u64),
            _ => {}
        }
    }
    data
}

fn noise(block: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for byte in block {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state as u8;
    }
}

impl Template {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("pass"), "correct horse\n").unwrap();
        let created = ask(path, &["vault", "create"]);
        let mut points: Vec<(Uuid, Vec<u8>)> = Vec::new();
        for seed in [10, 20, 30] {
            let data = image(seed);
            let file = std::fs::File::create(path.join("image")).unwrap();
            file.set_len(data.len() as u64).unwrap();
            for (at, block) in data.chunks(BLOCK).enumerate() {
                if block.iter().any(|byte| *byte != 0) {
                    file.write_all_at(block, (at * BLOCK) as u64).unwrap();
                }
            }
            if seed == 30 {
                let recovery = created["recovery_key"].as_str().unwrap().parse().unwrap();
                let (first, _) = &points[0];
                ask(path, &["image", "delete", "--point", &first.to_string()]);
                return Self { folder, recovery, points, next: data };
            }
            let image = path.join("image");
            let made = ask(path, &["image", "backup", "--name", "vm", image.to_str().unwrap()]);
            points.push((made["point"].as_str().unwrap().parse().unwrap(), data));
        }
        unreachable!("the loop ends with the third image")
    }
}

impl Scenario {
    /// A backup, a deletion and a collection that has packs to delete and blocks to move.
    pub(crate) fn all() -> Vec<Self> {
        let template = template();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let image = template.folder.path().join("image");
        let second = template.points[1].0;
        let scenario = |name, words, deletes| Self { name, words, deletes, template };
        vec![
            scenario(
                "backup",
                words(&["image", "backup", "--name", "vm", image.to_str().unwrap()]),
                None,
            ),
            scenario(
                "delete",
                words(&["image", "delete", "--point", &second.to_string()]),
                Some(second),
            ),
            scenario("collection", words(&["vault", "gc"]), None),
        ]
    }
}

/// A copy of the vault to disturb.
pub(crate) struct Case<'a> {
    scenario: &'a Scenario,
    folder: tempfile::TempDir,
}

impl<'a> Case<'a> {
    pub(crate) fn new(scenario: &'a Scenario) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let from = scenario.template.folder.path();
        copy(&from.join("store"), &folder.path().join("store"));
        std::fs::copy(from.join("pass"), folder.path().join("pass")).unwrap();
        Self { scenario, folder }
    }

    /// The run, undisturbed.
    pub(crate) fn command(&self) -> Command {
        let words: Vec<&str> = self.scenario.words.iter().map(String::as_str).collect();
        coffre(self.folder.path(), &words)
    }

    /// Disturbs the run and looks at what it leaves. Gives whether the run ended otherwise than well.
    pub(crate) fn run(&self, injection: &Injection) -> Result<bool, String> {
        let output = injection.around(&self.command()).output().unwrap();
        check_ending(injection, &output)?;
        let mut needed = self.points_that_must_be_there();
        if output.status.success() && self.scenario.name == "backup" {
            needed.push((point_of(&output)?, self.scenario.template.next.clone()));
        }
        let vault = self.open()?;
        must_restore(&vault, &needed)?;
        must_verify(&vault)?;
        // The next run, with no help.
        let again = self.command().output().unwrap();
        if !again.status.success() {
            return Err(format!("the next run: {}", String::from_utf8_lossy(&again.stderr)));
        }
        if self.scenario.name == "backup" {
            needed.push((point_of(&again)?, self.scenario.template.next.clone()));
        }
        self.must_leave_no_rubbish(&needed)?;
        Ok(!output.status.success())
    }

    fn points_that_must_be_there(&self) -> Vec<(Uuid, Vec<u8>)> {
        // The first point was deleted before, the second may be deleted by the run.
        let second = &self.scenario.template.points[1];
        if self.scenario.deletes == Some(second.0) { Vec::new() } else { vec![second.clone()] }
    }

    fn bucket(&self) -> std::sync::Arc<dyn Bucket> {
        bucket::open(&format!("file://{}/store", self.folder.path().display())).unwrap()
    }

    fn open(&self) -> Result<Vault, String> {
        let unlock = Unlock::RecoveryKey(self.scenario.template.recovery.clone());
        Vault::open(self.bucket(), &unlock).map_err(|error| error.to_string())
    }

    /// A collection that takes nobody for alive leaves what the points need, and nothing else.
    fn must_leave_no_rubbish(&self, needed: &[(Uuid, Vec<u8>)]) -> Result<(), String> {
        let vault = self.open()?;
        let options = CollectOptions {
            spare_younger_ms: 0,
            abandon_older_ms: 0,
            repack_below_percent: 100,
            ..CollectOptions::at(i64::MAX / 2)
        };
        vault.collect(&options).map_err(|error| format!("collect: {error}"))?;
        let bucket = self.bucket();
        for folder in ["active/", "pending/", "gc/condemned/"] {
            let left = bucket.list(folder).unwrap();
            if let Some(left) = left.first() {
                return Err(format!("{} is left", left.key));
            }
        }
        let vault = self.open()?;
        let plan = vault.collect_plan(&options).map_err(|error| error.to_string())?;
        if plan.dead_packs + plan.sparse_packs > 0 {
            return Err(format!("there is more to collect: {plan:?}"));
        }
        let objects: BTreeSet<String> =
            bucket.list("").unwrap().into_iter().map(|object| object.key).collect();
        let files = files_of(&self.folder.path().join("store"));
        if let Some(other) = files.difference(&objects).next() {
            return Err(format!("{other} is no object"));
        }
        must_restore(&vault, needed)?;
        must_verify(&vault)
    }
}

/// Killed, or well, or a failure that is told: never a panic.
fn check_ending(injection: &Injection, output: &Output) -> Result<(), String> {
    let killed = output.status.signal() == Some(9);
    // The dynamic loader has a status of its own for a library that it cannot open.
    let told = matches!(output.status.code(), Some(0 | 1 | 127));
    let told = told && !String::from_utf8_lossy(&output.stderr).contains("panicked");
    if injection.kills() && killed || told {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("ended with {:?}: {errors}", output.status))
}

fn point_of(output: &Output) -> Result<Uuid, String> {
    let made: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let point = made["point"].as_str().ok_or("no point in the answer")?;
    point.parse().map_err(|error| format!("{point}: {error}"))
}

fn must_verify(vault: &Vault) -> Result<(), String> {
    let report = vault.verify(VerifyScope::All, &NoProgress).map_err(|error| error.to_string())?;
    if report.damage.is_empty() { Ok(()) } else { Err(format!("{:?}", report.damage)) }
}

fn must_restore(vault: &Vault, points: &[(Uuid, Vec<u8>)]) -> Result<(), String> {
    for (point, data) in points {
        let target = Target(std::sync::Mutex::new(vec![0; data.len()]));
        vault
            .restore_disk(*point, "disk", &target, &NoProgress)
            .map_err(|error| format!("restore {point}: {error}"))?;
        if target.0.into_inner().unwrap() != *data {
            return Err(format!("{point} restores to something else"));
        }
    }
    Ok(())
}

struct Target(std::sync::Mutex<Vec<u8>>);

impl BlockSink for Target {
    fn writer(&self) -> std::io::Result<Box<dyn BlockWriter + '_>> {
        Ok(Box::new(Writer(self)))
    }
}

struct Writer<'a>(&'a Target);

impl BlockWriter for Writer<'_> {
    fn write_at(&mut self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.0.0.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files under a folder, by their path in it.
fn files_of(folder: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                files.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files
}
