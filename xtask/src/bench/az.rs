//! Which share of the time of an `az` command the service takes, in a large installation.
//!
//! What the service took is the sum of what its log says of each request (`took_us`): from the head of the request to the
//! answer. TLS is not in it; the processor time of the whole process, with TLS and with what else it does meanwhile, stands
//! beside it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use coffre_testkit::service::{Az, Commands as _, Service};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use super::tool::median;
use crate::places::Places;
use crate::steps::call;

/// How often each command runs.
const ROUNDS: usize = 5;
/// The share that a command may spend in the service, in percent.
const BAR: f64 = 2.0;

/// Of what the example `crowd` of coffre-arm makes: a vault in the middle, a machine that it protects, their group.
const HERE: [&str; 4] = ["-g", "local", "-v", "crowd-00001"];
const MACHINE: &str = "machine-00495";
const MACHINES: &str = "machines-00";

/// One run of a command, in times.
struct Taken {
    wall: Duration,
    /// What the requests took in the service.
    service: Duration,
    requests: usize,
    /// Processor time of the service.
    cpu: Duration,
}

/// All runs of a command.
struct Rounds(Vec<Taken>);

impl Rounds {
    /// The shares of the service in percent, the least first.
    fn shares(&self) -> Vec<f64> {
        let share = |it: &Taken| 100.0 * it.service.as_secs_f64() / it.wall.as_secs_f64();
        let mut shares: Vec<f64> = self.0.iter().map(share).collect();
        shares.sort_by(f64::total_cmp);
        shares
    }

    /// The middle one, which is held to the bar.
    fn share(&self) -> f64 {
        self.shares()[ROUNDS / 2]
    }

    fn middle(&self, of: fn(&Taken) -> Duration) -> Duration {
        median(&self.0.iter().map(of).collect::<Vec<_>>())
    }
}

pub(super) fn run(places: &Places, coffre: &Path, az: &Path) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("coffre-bench-").tempdir()?;
    let mut service = Service::new(coffre, &folder.path().join("data"), "")?;
    service.start()?;
    service.stop()?;
    let subscription = service.info()?.subscription;
    let database = service.folder().join("coffre.db");
    let fill = ["run", "--quiet", "--locked", "-p", "coffre-arm", "--example", "crowd", "--"];
    call(places.cargo(&fill).arg(&database).arg(&subscription))?;
    service.start_with(&[("COFFRE_LOG", "info,coffre_arm=debug")])?;

    let az = Az::new(az, &folder.path().join("az"), &service.info()?.ca)?;
    az.sign_in(&service)?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("each command {ROUNDS} times, each a process of its own; load {}", load.trim());
    println!(
        "{:<26} {:>8} {:>9} {:>12} {:>8} {:>8} {:>12}",
        "az", "requests", "wall", "in service", "share", "worst", "processor"
    );
    let mut missed = Vec::new();
    let mut judge = |name, rounds: Rounds| {
        let kept = rounds.share() <= BAR;
        print(name, &rounds, kept);
        if !kept {
            missed.push(name);
        }
    };
    let login = login(&service)?;
    judge(
        "login",
        repeat(|| {
            // Else the token of before is still good, and nobody is asked.
            az.run(&["account", "clear"])?;
            one(&service, &az, &login)
        })?,
    );
    for (name, words) in commands() {
        judge(name, repeat(|| one(&service, &az, &words))?);
    }
    service.stop()?;
    ensure!(missed.is_empty(), "over {BAR} % of the time is spent in the service: {missed:?}");
    Ok(())
}

fn login(service: &Service) -> anyhow::Result<Vec<String>> {
    let (info, secret) = (service.info()?, service.secret()?);
    let words = ["login", "--service-principal", "-u", &info.client_id, "-p", secret];
    Ok(words.into_iter().chain(["--tenant", &info.tenant]).map(str::to_owned).collect())
}

/// What people type, by the name that the table gives it.
fn commands() -> Vec<(&'static str, Vec<String>)> {
    let of_vms = ["--backup-management-type", "AzureIaasVM"];
    let item = ["-c", MACHINE, "-i", MACHINE];
    let verb = |name: &'static str, more: &[&str]| {
        (name, name.split(' ').chain(more.iter().copied()).map(str::to_owned).collect())
    };
    let here = |name, more: &[&str]| verb(name, &[&HERE[..], more].concat());
    vec![
        verb("group list", &[]),
        verb("backup vault list", &[]),
        here("backup policy list", &[]),
        here("backup item list", &of_vms),
        here("backup recoverypoint list", &[&item[..], &of_vms].concat()),
        here("backup job list", &[]),
        verb("vm list", &[]),
        verb("vm list -g", &[MACHINES]),
        verb("vm show", &["-g", MACHINES, "-n", MACHINE]),
        verb("vm extension list", &["-g", MACHINES, "--vm-name", MACHINE]),
        verb("resource list", &[]),
        verb("resource list -g", &[MACHINES]),
    ]
}

fn repeat(one: impl Fn() -> anyhow::Result<Taken>) -> anyhow::Result<Rounds> {
    Ok(Rounds((0..ROUNDS).map(|_| one()).collect::<Result<_, _>>()?))
}

fn one(service: &Service, az: &Az, words: &[String]) -> anyhow::Result<Taken> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut log = File::open(service.log())?;
    log.seek(SeekFrom::End(0))?;
    let clock = clock_getcpuclockid(Pid::from_raw(service.info()?.pid.try_into()?))?;
    let (before, begun) = (clock.now()?, Instant::now());
    az.run(&words)?;
    let wall = begun.elapsed();
    let cpu = Duration::from(clock.now()?) - Duration::from(before);
    let mut text = String::new();
    log.read_to_string(&mut text)?;
    let times: Vec<Duration> = text.lines().filter_map(took).collect();
    ensure!(!times.is_empty(), "the log has no request of `az {}`:\n{text}", words[0]);
    Ok(Taken { wall, service: times.iter().sum(), requests: times.len(), cpu })
}

/// What a line of the log says of the time of a request.
fn took(line: &str) -> Option<Duration> {
    let (_, rest) = line.split_once(" took_us=")?;
    Some(Duration::from_micros(rest.split_whitespace().next()?.parse().ok()?))
}

fn print(name: &str, rounds: &Rounds, kept: bool) {
    println!(
        "{name:<26} {:>8} {:>7.2} s {:>9.1} ms {:>6.2} % {:>6.2} % {:>9.1} ms  bar {BAR} %  {}",
        rounds.0[0].requests,
        rounds.middle(|it| it.wall).as_secs_f64(),
        rounds.middle(|it| it.service).as_secs_f64() * 1e3,
        rounds.share(),
        rounds.shares().last().copied().unwrap_or_default(),
        rounds.middle(|it| it.cpu).as_secs_f64() * 1e3,
        if kept { "kept" } else { "MISSED" },
    );
}
