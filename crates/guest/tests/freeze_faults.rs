//! Faults at random moments of a freeze: whoever is killed, stopped or crashes, no file system stays frozen longer than
//! the ceiling and a second.
//!
//! `COFFRE_FREEZE_FAULTS` is the number of faults, `COFFRE_FREEZE_SEED` begins another sequence.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod freeze_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use freeze_support::{PROGRAM, World, in_namespace};
use rustix::process::{Pid, Signal, kill_process};

const CEILING: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);
const LANES: u64 = 3;

/// A small generator of numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().expect("a number"))
}

/// Writes to one file system all the time. A write that hangs is seen from outside.
struct Heart {
    /// Milliseconds after `birth` at which the write that is going on began; zero between two writes.
    beating: AtomicU64,
    /// The longest write since somebody asked, in milliseconds.
    longest: AtomicU64,
    beats: AtomicU64,
    failures: AtomicU64,
    end: AtomicBool,
    birth: Instant,
}

impl Heart {
    fn start(at: &Path) -> Arc<Heart> {
        let heart = Arc::new(Heart {
            beating: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            beats: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            end: AtomicBool::new(false),
            birth: Instant::now(),
        });
        let (file, beats) = (at.join("beat"), heart.clone());
        thread::spawn(move || {
            while !beats.end.load(Ordering::SeqCst) {
                beats.beating.store(beats.now(), Ordering::SeqCst);
                // The mount goes away at the end of the test; before, it must not fail.
                if fs::write(&file, [7; 4096]).is_err() {
                    beats.failures.fetch_add(1, Ordering::SeqCst);
                }
                beats.longest.fetch_max(beats.held_up(), Ordering::SeqCst);
                beats.beating.store(0, Ordering::SeqCst);
                beats.beats.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(4));
            }
        });
        heart
    }

    fn now(&self) -> u64 {
        self.birth.elapsed().as_millis() as u64 + 1
    }

    /// For how long the present write has been going on.
    fn held_up(&self) -> u64 {
        match self.beating.load(Ordering::SeqCst) {
            0 => 0,
            since => self.now().saturating_sub(since),
        }
    }

    /// The longest write since the last call.
    fn take_longest(&self) -> u64 {
        self.longest.swap(0, Ordering::SeqCst)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Worker,
    Freezer,
    Watchdog,
}

/// What is waited for before the delay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Started,
    WatchdogStands,
    FirstFreeze,
    AllFrozen,
}

/// One case: who, with what, and when.
#[derive(Debug, Clone)]
struct Fault {
    victims: Vec<Victim>,
    signal: Signal,
    moment: Moment,
    /// After that moment.
    delay: Duration,
}

impl Fault {
    fn draw(dice: &mut Dice) -> Fault {
        use Victim::{Freezer, Watchdog, Worker};
        let victims: &[Victim] = match dice.below(20) {
            0..4 => &[Worker],
            4..9 => &[Freezer],
            9..12 => &[Watchdog],
            12..14 => &[Worker, Freezer],
            14..16 => &[Worker, Watchdog],
            16..19 => &[Freezer, Watchdog],
            // Then only the next start can help.
            _ => &[Worker, Freezer, Watchdog],
        };
        let signal = match dice.below(10) {
            0..6 => Signal::KILL,
            6..8 => Signal::SEGV,
            _ => Signal::STOP,
        };
        let moment = match dice.below(10) {
            0 => Moment::Started,
            1..4 => Moment::WatchdogStands,
            4..7 => Moment::FirstFreeze,
            _ => Moment::AllFrozen,
        };
        // Within the time of the hold, or nearly.
        let delay = Duration::from_micros(dice.below(30_000));
        Fault { victims: victims.to_vec(), signal, moment, delay }
    }
}

/// The processes of one freeze.
struct Freeze {
    worker: Child,
    state: PathBuf,
}

impl Freeze {
    fn start(world: &World) -> Freeze {
        let millis = CEILING.as_millis().to_string();
        let worker = Command::new(PROGRAM)
            .args(["try-freeze", "--hold-ms", "40", "--prepare-ms", "400"])
            .args(["--ceiling-ms", &millis])
            .arg("--only")
            .arg(world.folder.join("mnt"))
            .arg("--state")
            .arg(world.state())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Freeze { worker, state: world.state() }
    }

    fn session(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&fs::read(self.state.join("session")).ok()?).ok()
    }

    /// Words of the page of marks: the deadline, and how far each file system is.
    fn marks(&self) -> (u64, Vec<u64>) {
        let page = fs::read(self.state.join("marks")).unwrap_or_default();
        let word = |at: usize| {
            page.get(at * 8..at * 8 + 8).map_or(0, |w| u64::from_ne_bytes(w.try_into().unwrap()))
        };
        (word(0), (16..19).map(word).collect())
    }

    /// What was going on, for the statistics.
    fn phase(&self) -> &'static str {
        let (deadline, marks) = self.marks();
        match () {
            () if self.session().is_none() => "before or after",
            () if deadline == 0 => "before the first freeze",
            () if marks.contains(&1) => "in a freeze",
            () if marks.iter().all(|mark| *mark == 2) => "all frozen",
            () if marks.contains(&2) => "some frozen",
            () => "thawed",
        }
    }

    /// Whether it has come so far, or is beyond.
    fn is_at(&mut self, moment: Moment) -> bool {
        let (deadline, marks) = self.marks();
        self.has_ended()
            || match moment {
                Moment::Started => true,
                Moment::WatchdogStands => self.session().is_some(),
                Moment::FirstFreeze => deadline != 0,
                Moment::AllFrozen => marks.iter().all(|mark| *mark >= 2),
            }
    }

    fn has_ended(&mut self) -> bool {
        self.worker.try_wait().unwrap().is_some()
    }
}

fn pid_in(session: &serde_json::Value, name: &str) -> Option<Pid> {
    Pid::from_raw(i32::try_from(session[name]["pid"].as_i64()?).ok()?)
}

/// Strikes, and waits until there is an end of it. Tells the phase that was struck.
fn strike(world: &World, fault: &Fault) -> &'static str {
    let mut freeze = Freeze::start(world);
    let begun = Instant::now();
    while !freeze.is_at(fault.moment) && begun.elapsed() < 10 * SECOND {
        thread::sleep(Duration::from_micros(200));
    }
    thread::sleep(fault.delay);
    let session = freeze.session();
    let phase = freeze.phase();
    let worker = Pid::from_child(&freeze.worker);
    let of_session = |name| session.as_ref().and_then(|session| pid_in(session, name));
    let (freezer, watchdog) = (of_session("freezer"), of_session("watchdog"));
    for victim in &fault.victims {
        let pid = match victim {
            Victim::Worker => Some(worker).filter(|_| !freeze.has_ended()),
            Victim::Freezer => freezer,
            Victim::Watchdog => watchdog,
        };
        if let Some(pid) = pid {
            let _ = kill_process(pid, fault.signal);
            if fault.signal == Signal::SEGV {
                // The first one is taken for an overflow of the stack by the runtime of the worker.
                let _ = kill_process(pid, fault.signal);
            }
        }
    }
    let struck = Instant::now();
    let stopped = |victim| fault.signal == Signal::STOP && fault.victims.contains(&victim);
    while struck.elapsed() < CEILING + 2 * SECOND {
        let over = freeze.session().is_none() && (freeze.has_ended() || stopped(Victim::Worker));
        // A freezer that is stopped before the first freeze is waited for by everybody, and holds nothing.
        let never = stopped(Victim::Freezer) && freezer.is_some() && freeze.marks().0 == 0;
        if over || never || fault.victims.len() == 3 {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    for pid in [Some(worker).filter(|_| !freeze.has_ended()), freezer, watchdog] {
        // Stopped ones, mostly. The numbers are a second old.
        let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
    }
    freeze.worker.wait().unwrap();
    phase
}

/// The next start of the extension. It has work to do only when all three were struck; and those that were killed may
/// still be ending.
fn next_start(world: &World, fault: &Fault) {
    let until = Instant::now() + SECOND;
    loop {
        let state = world.state();
        let next = freeze_support::call(PROGRAM, &["thaw", "--state", state.to_str().unwrap()]);
        if next.status.success() {
            return;
        }
        let said = freeze_support::text(&next.stdout);
        assert!(Instant::now() < until, "{fault:?}: the next start says {said}");
    }
}

/// Btrfs makes itself read-only when the process that thaws it is killed in that very call. Nothing of ours kills such a
/// process, but the faults do.
const READ_ONLY: &str = "btrfs read-only";

/// Replaces the btrfs of a lane. A write that failed on any other file system is a failure of the test.
fn begin_anew(world: &mut World, image: &Path, is_nested: bool) {
    let at = world.mounts[2].clone();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = table.lines().find(|line| line.split(' ').nth(4) == at.to_str());
    let is_read_only = |line: &&str| line.rsplit(' ').next().unwrap_or_default().starts_with("ro");
    assert!(line.filter(is_read_only).is_some(), "a write failed: {line:?}");
    rustix::mount::unmount(&at, rustix::mount::UnmountFlags::DETACH).unwrap();
    let image = image.with_extension(world.mounts.len().to_string());
    world.mount_at("btrfs", &at, Some(image.as_path()).filter(|_| is_nested));
}

/// One lane of faults on file systems of its own; tells how many faults struck which phase.
fn lane(folder: &Path, seed: u64, faults: u64) -> BTreeMap<&'static str, u64> {
    let mut world = World::new(folder);
    world.mount("ext4", "ext4", None);
    let xfs = world.mount("xfs", "xfs", None);
    let image = xfs.join("image");
    // Every other lane has one file system on top of another.
    world.mount("btrfs", "btrfs", Some(image.as_path()).filter(|_| seed.is_multiple_of(2)));
    let hearts: Vec<_> = world.mounts.iter().map(|at| Heart::start(at)).collect();
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut phases = BTreeMap::new();
    for number in 0..faults {
        let fault = Fault::draw(&mut dice);
        for heart in &hearts {
            heart.take_longest();
        }
        let phase = strike(&world, &fault);
        next_start(&world, &fault);
        let limit = (CEILING + SECOND).as_millis() as u64;
        let case = format!("seed {seed}, fault {number} ({phase}): {fault:?}");
        for (heart, at) in hearts.iter().zip(&world.mounts) {
            let before = heart.beats.load(Ordering::SeqCst);
            let until = Instant::now() + SECOND;
            while heart.beats.load(Ordering::SeqCst) < before + 2 {
                assert!(Instant::now() < until, "{} is left frozen: {case}", at.display());
                thread::sleep(Duration::from_millis(1));
            }
            let longest = heart.take_longest();
            assert!(longest <= limit, "{} was frozen for {longest} ms: {case}", at.display());
        }
        *phases.entry(phase).or_insert(0) += 1;
        if hearts.iter().any(|heart| heart.failures.load(Ordering::SeqCst) > 0) {
            begin_anew(&mut world, &image, seed.is_multiple_of(2));
            hearts.iter().for_each(|heart| heart.failures.store(0, Ordering::SeqCst));
            *phases.entry(READ_ONLY).or_insert(0) += 1;
        }
    }
    hearts.iter().for_each(|heart| heart.end.store(true, Ordering::SeqCst));
    world.assert_nothing_is_frozen();
    phases
}

#[test]
fn no_fault_leaves_a_file_system_frozen() {
    in_namespace("no_fault_leaves_a_file_system_frozen", |folder| {
        let faults = setting("COFFRE_FREEZE_FAULTS", 600);
        let seed = setting("COFFRE_FREEZE_SEED", 1);
        let hurry = || fs::read_to_string("/sys/kernel/rcu_expedited").unwrap_or_default();
        let (begun, hurried) = (Instant::now(), hurry());
        let phases = thread::scope(|scope| {
            let lanes: Vec<_> = (0..LANES)
                .map(|lane_number| {
                    let folder = folder.join(lane_number.to_string());
                    let seed = seed * LANES + lane_number;
                    scope.spawn(move || lane(&folder, seed, faults.div_ceil(LANES)))
                })
                .collect();
            let mut all = BTreeMap::new();
            for lane in lanes {
                for (phase, count) in lane.join().expect("a lane failed; see above") {
                    *all.entry(phase).or_insert(0) += count;
                }
            }
            all
        });
        let struck: u64 = phases.iter().filter(|(name, _)| **name != READ_ONLY).map(|p| p.1).sum();
        println!("{struck} faults in {:?}, none left frozen: {phases:?}", begun.elapsed());
        assert!(struck >= faults);
        let read_only = phases.get(READ_ONLY).copied().unwrap_or_default();
        assert!(read_only <= 2 + faults / 50, "{read_only} times read-only");
        assert_eq!(hurry(), hurried, "the kernel was left in a hurry");
        // The moments that matter must be among those that were struck.
        for phase in ["before the first freeze", "in a freeze", "all frozen"] {
            assert!(faults < 100 || phases.contains_key(phase), "never struck {phase}");
        }
    });
}
