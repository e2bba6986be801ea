//! `coffre serve`: the one place where every room meets.
//!
//! A SIGKILL at any moment is a normal end: what the next start finds, [`recover`] puts right. A
//! SIGTERM only makes it quicker.

mod clocks;
mod config;
mod convert;
pub(crate) mod data_dir;
mod discovery;
mod extension;
mod failure;
mod first_run;
mod http;
mod hypervisors;
mod local_tier;
mod meter;
mod openid;
mod recover;
mod retention;
mod schedule;
mod secrets;
mod service;
mod steps;
mod stores;
mod tls;
mod tokens;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use coffre_arm::{ArmState, Deployments, PageKey};
use coffre_control::attempts::Attempts;
use coffre_control::device::DeviceCodes;
use coffre_control::factor::FactorKey;
use coffre_control::port::Db;
use coffre_portal::PortalState;
use coffre_portal::provider::Provider;
use coffre_store::SqliteDb;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};
use uuid::Uuid;

use crate::az_setup;
use crate::client::{SERVICE_FILE, ServiceInfo};
use crate::say;
use crate::sys;
use config::Config;
use data_dir::{DataDir, private_dir, write_public};
use service::{Parts, Service};

/// Runs the service: API, portal and worker in one process.
///
/// Without a configuration it listens on 127.0.0.1:8443, keeps everything in its data folder, and
/// manages the machines described in `machines/*.toml` there.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Configuration file.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Data folder [default: ~/.local/share/coffre].
    #[arg(long, env = "COFFRE_DATA")]
    data: Option<PathBuf>,
    /// Address and port, instead of the configuration's.
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
    /// At the first start: take the administrator's secret from this file, or write a new one to
    /// it, instead of the terminal.
    #[arg(long)]
    admin_secret_file: Option<PathBuf>,
    /// How the log on stderr is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Runs until it is asked to stop.
pub(crate) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    sys::give_memory_back();
    start_log(args.log);
    let config = match &args.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    let config = Config { listen: args.listen.unwrap_or(config.listen), ..config };
    let root = args.data.clone().map_or_else(DataDir::default_path, Ok)?;
    let data = DataDir::open(&root)?;
    // Of the last run; the new one is written when this service answers.
    let _ = std::fs::remove_file(data.root().join(SERVICE_FILE));
    let database = data.database();
    let db: Arc<dyn Db> = Arc::new(
        SqliteDb::open(&database).with_context(|| format!("open {}", database.display()))?,
    );
    let first = first_run::seed(&*db, &config, &data, args.admin_secret_file.as_deref())?;
    let service = Arc::new(make_service(&config, &data, Arc::clone(&db))?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let listener = runtime
        .block_on(TcpListener::bind(config.listen))
        .with_context(|| format!("listen on {}", config.listen))?;
    let address = listener.local_addr().context("ask for the port")?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("https://{address}"));
    let tls = tls::server_config(&data, &certificate_names(&config, &url), Timestamp::now())?;
    let router = router(&service, &config, &data, url.clone())?;

    let (client, subscription) = first_run::identities(&*db)?;
    let info = ServiceInfo {
        url,
        ca: data.ca_pem(),
        client_id: client.to_string(),
        tenant: subscription.tenant.to_string(),
        subscription: subscription.id.to_string(),
        pid: std::process::id(),
    };
    let (stop, stopping) = watch::channel(false);
    let serving = runtime.spawn(http::serve(listener, tls, router, stopping));
    let threads = start_threads(&service, &config)?;
    greet(&info, first);
    // Written last: whoever waits for the file finds a service that answers and has said how to sign in.
    let text = serde_json::to_vec_pretty(&info).context("describe the service")?;
    write_public(&data.root().join(SERVICE_FILE), &text).context("write service.json")?;

    runtime.block_on(asked_to_stop())?;
    info!("stopping");
    service.stop();
    stop.send_replace(true);
    let _ = runtime.block_on(serving);
    for thread in threads {
        if thread.join().is_err() {
            error!("a thread ended in a panic");
        }
    }
    runtime.shutdown_timeout(Duration::from_secs(2));
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Gives the administrator a new secret, for when the old one is lost or known to others.
///
/// The service must be stopped. Sign-ins with the old secret end at once.
#[derive(Debug, clap::Args)]
pub(crate) struct AdminSecretArgs {
    /// Data folder [default: ~/.local/share/coffre].
    #[arg(long, env = "COFFRE_DATA")]
    data: Option<PathBuf>,
    /// Take the secret from this file, or write a new one to it, instead of the terminal.
    #[arg(long)]
    secret_file: Option<PathBuf>,
}

/// Renews the administrator's secret.
pub(crate) fn renew_admin_secret(args: &AdminSecretArgs) -> anyhow::Result<ExitCode> {
    let root = args.data.clone().map_or_else(DataDir::default_path, Ok)?;
    let data = DataDir::open(&root)?;
    let database = data.database();
    anyhow::ensure!(database.exists(), "there was no first start on {}", root.display());
    let db = SqliteDb::open(&database).with_context(|| format!("open {}", database.display()))?;
    first_run::renew_secret(&db, args.secret_file.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

fn start_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("COFFRE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_target(false).with_ansi(say::is_watched()).init(),
        LogFormat::Json => builder.json().init(),
    }
}

fn make_service(config: &Config, data: &DataDir, db: Arc<dyn Db>) -> anyhow::Result<Service> {
    let scratch = config.scratch.clone().unwrap_or_else(|| data.root().join("scratch"));
    private_dir(&scratch)?;
    let images = data.root().join("images");
    private_dir(&images)?;
    Ok(Service::new(Parts {
        db,
        hypervisors: hypervisors::Hypervisors::open(config, data)?,
        stores: stores::Stores::new(data),
        scratch,
        images,
        freeze_max: Duration::from_secs(config.freeze_seconds),
        region: config.region.clone(),
        transfers: config.transfers,
    }))
}

fn router(
    service: &Arc<Service>,
    config: &Config,
    data: &DataDir,
    url: String,
) -> anyhow::Result<Router> {
    let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(Timestamp::now);
    let ids: Arc<dyn Fn() -> Uuid + Send + Sync> = Arc::new(Uuid::now_v7);
    let ringing = Arc::clone(service);
    let poke: Arc<dyn Fn() + Send + Sync> = Arc::new(move || ringing.bell.ring());
    let (asked, looked) = (Arc::clone(service), Arc::clone(service));
    let devices: Arc<DeviceCodes> = Arc::default();
    let attempts: Arc<Attempts> = Arc::default();
    let arm = coffre_arm::router(ArmState {
        guest_logs: Arc::new(move |vm| {
            let logs = extension::guest_logs(&asked, vm).unwrap_or_default().into_iter();
            logs.map(|log| coffre_arm::GuestLog { path: log.path, text: log.text }).collect()
        }),
        db: Arc::clone(&service.db),
        clock: Arc::clone(&clock),
        deployments: Deployments::new(Uuid::now_v7()),
        ids: Arc::clone(&ids),
        tokens: Arc::new(tokens::Signer::open(data, Arc::clone(&clock))?),
        devices: Arc::clone(&devices),
        attempts: Arc::clone(&attempts),
        page_key: PageKey::new(secrets::kept(&data.keys().join("pages.key"))?),
        poke: Arc::clone(&poke),
        public_url: url.clone(),
    });
    let provider = match &config.openid {
        Some(openid) => {
            let provider = openid::OpenIdProvider::new(openid, Arc::clone(&clock))?;
            Some(Arc::new(provider) as Arc<dyn Provider>)
        }
        None => None,
    };
    let portal = coffre_portal::router(PortalState {
        devices,
        attempts,
        provider,
        factor_key: FactorKey::new(&secrets::kept(&data.keys().join("codes.key"))?),
        db: Arc::clone(&service.db),
        clock,
        ids,
        guest_logs: Arc::new(move |vm| {
            let logs = extension::guest_logs(&looked, vm)?.into_iter();
            Ok(logs.map(|log| coffre_portal::GuestLog { path: log.path, text: log.text }).collect())
        }),
        poke,
        public_url: url,
    });
    // The API answers every path that the portal does not know.
    Ok(portal.merge(arm))
}

/// One thread a worker, and one that looks at the hypervisors. What the last run left is put right
/// before the first worker begins.
fn start_threads(
    service: &Arc<Service>,
    config: &Config,
) -> anyhow::Result<Vec<std::thread::JoinHandle<()>>> {
    discovery::look(service);
    recover::at_start(service).context("take up the work of the last run")?;
    let mut threads = Vec::new();
    for number in 0..config.workers {
        let service = Arc::clone(service);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || worker::work(&service));
        threads.push(thread.context("start a worker")?);
    }
    let pause = Duration::from_secs(config.discovery_seconds);
    let service = Arc::clone(service);
    let thread = std::thread::Builder::new().name("discovery".to_owned()).spawn({
        let service = Arc::clone(&service);
        move || discovery::run(&service, pause)
    });
    threads.push(thread.context("start the discovery")?);
    threads.extend(start_reconcilers(&service, config)?);
    if let Some(version) = service.hypervisors.offered() {
        let thread = std::thread::Builder::new()
            .name("extension".to_owned())
            .spawn(move || extension::run(&service, &version));
        threads.push(thread.context("start the care for the extension")?);
    }
    Ok(threads)
}

/// What works by itself: the schedule, and the end of what has had its time.
fn start_reconcilers(
    service: &Arc<Service>,
    config: &Config,
) -> anyhow::Result<[std::thread::JoinHandle<()>; 3]> {
    let (per_hypervisor, per_store) = (config.backups_per_hypervisor, config.backups_per_store);
    let grace = jiff::SignedDuration::from_hours(config.expiry_grace_hours);
    let (first, second) = (Arc::clone(service), Arc::clone(service));
    let third = Arc::clone(service);
    let schedule = std::thread::Builder::new()
        .name("schedule".to_owned())
        .spawn(move || schedule::run(&first, per_hypervisor, per_store))
        .context("start the schedule")?;
    let retention = std::thread::Builder::new()
        .name("retention".to_owned())
        .spawn(move || retention::run(&second, grace))
        .context("start the retention")?;
    let local_tier = std::thread::Builder::new()
        .name("local-tier".to_owned())
        .spawn(move || local_tier::run(&third))
        .context("start the care for copies beside the disks")?;
    Ok([schedule, retention, local_tier])
}

/// Names and addresses under which clients may reach us.
fn certificate_names(config: &Config, url: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !config.listen.ip().is_unspecified() {
        names.push(config.listen.ip().to_string());
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if !host.is_empty() && host.is_ascii() {
        names.push(host);
    }
    let authority = url.trim_start_matches("https://");
    let public = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    names.push(public.trim_matches(['[', ']']).to_owned());
    names.extend(config.names.iter().cloned());
    names.sort();
    names.dedup();
    names
}

fn greet(info: &ServiceInfo, first: bool) {
    let snippet: String = az_setup::snippet(info, "Coffre")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("      {line}\n"))
        .collect();
    let secret = if first { "SECRET" } else { "THE-SECRET-OF-THE-FIRST-START" };
    say::note(&format!(
        "\n  Portal    {url}   (sign in as {admin})\n  \
         Coffre    coffre login --data {data}\n  \
         Azure CLI\n{snippet}      \
         az login --service-principal -u {client} -p {secret} --tenant {tenant}\n",
        url = info.url,
        admin = first_run::ADMINISTRATOR,
        data = info.ca.parent().unwrap_or(&info.ca).display(),
        client = info.client_id,
        tenant = info.tenant,
    ));
}

async fn asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
