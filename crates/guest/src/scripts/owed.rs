//! After each script before a point comes its counterpart, once, whatever happens in between.
//!
//! The ledger is a folder in memory. The runner writes `owed` just before it starts the first script. It becomes
//! `paying` when the second is about to start, and that goes when the second has ended. A runner holds a lock all the
//! while, so nobody takes a script that runs for one that was forgotten. A second start of the second script happens in
//! one case: when its runner was killed halfway. Then what is left of it is killed first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::config::{Plugin, Script};
use super::execute::kill;
use super::runner::run_apart;
use super::{Phase, Ran, ScriptFault, ScriptFiles};
use crate::freeze::process::Process;

/// What is in the ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Debt {
    post: Script,
    /// Who will pay it. Others do when this one has ended.
    owner: Process,
    /// The longest that a runner can hold the lock.
    patience: Duration,
    /// How often somebody has begun to pay in another's stead. A runner that comes too late sees that it has grown.
    turn: u32,
}

impl Debt {
    pub(super) fn owner_lives(&self) -> bool {
        self.owner.is_alive()
    }
}

pub(super) struct Ledger(PathBuf);

impl Ledger {
    pub(super) fn open(folder: &Path) -> io::Result<Ledger> {
        fs::DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
        Ok(Ledger(folder.to_owned()))
    }

    /// Waits for the lock; it is given back when the file is closed.
    pub(super) fn lock(&self, patience: Duration) -> io::Result<File> {
        let file = private(&self.0.join("lock"), false)?;
        let until = Instant::now() + patience;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(Errno::WOULDBLOCK) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub(super) fn owe(&self, debt: &Debt) -> io::Result<()> {
        let new = self.0.join("owed.new");
        private(&new, true)?.write_all(&serde_json::to_vec(debt)?)?;
        fs::rename(new, self.0.join("owed"))
    }

    fn read(&self, name: &str) -> Option<Debt> {
        serde_json::from_slice(&fs::read(self.0.join(name)).ok()?).ok()
    }

    /// For whoever has the lock: whether this debt is the one that is being paid.
    pub(super) fn is_paying(&self, debt: &Debt) -> bool {
        self.read("paying").is_some_and(|paying| paying.turn == debt.turn)
    }

    /// The debt that is now being paid; `None` when there is none.
    fn pay(&self) -> io::Result<Option<Debt>> {
        match fs::rename(self.0.join("owed"), self.0.join("paying")) {
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
            Ok(()) => Ok(self.read("paying")),
        }
    }

    /// The process that leads the group of the script that runs.
    pub(super) fn runs(&self, group: Pid) {
        // Only needed by whoever comes after a runner that was killed.
        if let Ok(text) = Process::of(group).map(|leader| serde_json::json!(leader).to_string()) {
            let _ = private(&self.0.join("group"), true).map(|mut f| f.write_all(text.as_bytes()));
        }
    }

    /// A script has ended, well or badly.
    pub(super) fn ended(&self, phase: Phase) {
        let _ = fs::remove_file(self.0.join("group"));
        if phase == Phase::Post {
            let _ = fs::remove_file(self.0.join("paying"));
        }
    }

    /// For whoever has the lock: what a runner that was killed has left running ends here.
    fn kill_leftover(&self) {
        let text = fs::read(self.0.join("group")).unwrap_or_default();
        if let Ok(leader) = serde_json::from_slice::<Process>(&text)
            && leader.is_alive()
        {
            Pid::from_raw(leader.pid).into_iter().for_each(kill);
        }
        let _ = fs::remove_file(self.0.join("group"));
    }
}

fn private(path: &Path, afresh: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(afresh)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
}

/// The script after the point is owed. Dropping this does not pay it; [`recover`] does, once this process has ended.
#[derive(Debug)]
#[must_use = "the script after the point is owed now"]
pub struct Owed {
    files: ScriptFiles,
    post: Script,
}

impl Plugin {
    /// Runs the script before the point. Whatever comes of it, the one after it is owed from now on.
    ///
    /// # Errors
    /// When nothing was run and nothing is owed: the scripts of another point are not done yet (300).
    pub fn pre(&self) -> Result<(Owed, Result<Ran, ScriptFault>), ScriptFault> {
        // What an earlier run may have left comes first. Its failure is not ours.
        let _ = recover(&self.files);
        let failed = |what: String| self.pre.named(ScriptFault::new(300, what));
        let folder = self.files.state.display();
        let ledger = Ledger::open(&self.files.state)
            .map_err(|failure| failed(format!("{folder} cannot be written: {failure}")))?;
        if ["owed", "paying"].iter().any(|name| ledger.read(name).is_some()) {
            return Err(failed("the scripts of another point are not done yet".to_owned()));
        }
        let owner = Process::current().map_err(|failure| failed(failure.to_string()))?;
        let patience = self.pre.budget().max(self.post.budget());
        let debt = Debt { post: self.post.clone(), owner, patience, turn: 0 };
        let outcome = run_apart(&self.files, &self.pre, debt);
        let outcome = outcome.map_err(|fault| self.pre.named(fault));
        Ok((Owed { files: self.files.clone(), post: self.post.clone() }, outcome))
    }
}

impl Owed {
    /// Runs the script after the point.
    ///
    /// # Errors
    /// When it fails (301), takes too long (309), is gone (303) or is not safe to run any more (307).
    pub fn post(self) -> Result<Ran, ScriptFault> {
        let outcome = pay(&self.files).unwrap_or_else(|| {
            // The runner of the first script could not even begin.
            let what = format!("{} was not run: nothing is owed", self.post.path.display());
            Err(ScriptFault::new(301, what))
        });
        outcome.map_err(|fault| self.post.named(fault))
    }
}

fn pay(files: &ScriptFiles) -> Option<Result<Ran, ScriptFault>> {
    match Ledger::open(&files.state).and_then(|ledger| ledger.pay()) {
        Ok(debt) => debt.map(|debt| run_apart(files, &debt.post.clone(), debt)),
        Err(failure) => {
            let what = format!("{}: {failure}", files.state.display());
            Some(Err(ScriptFault::new(301, what)))
        }
    }
}

/// Pays what an earlier run owed: it was killed between its two scripts. Every start of the extension calls it. It
/// waits for a script that still runs, and leaves alone what a process that lives will pay. `None` when nothing was
/// owed.
pub fn recover(files: &ScriptFiles) -> Option<Result<Ran, ScriptFault>> {
    if !files.state.exists() {
        return None;
    }
    let ledger = Ledger::open(&files.state).ok()?;
    let debt = ledger.read("paying").or_else(|| ledger.read("owed"))?;
    if debt.owner.is_alive() {
        return None;
    }
    let lock = match ledger.lock(debt.patience) {
        Ok(lock) => lock,
        Err(failure) => {
            let what = format!("a script of an earlier point still runs: {failure}");
            return Some(Err(ScriptFault::new(301, what)));
        }
    };
    // It may have been paid while we waited.
    let debt = ledger.read("paying").or_else(|| ledger.read("owed"))?;
    ledger.kill_leftover();
    let next = Debt { turn: debt.turn + 1, ..debt };
    if let Err(failure) = ledger.owe(&next) {
        let what = format!("{}: {failure}", files.state.display());
        return Some(Err(ScriptFault::new(301, what)));
    }
    drop(lock);
    pay(files)
}
