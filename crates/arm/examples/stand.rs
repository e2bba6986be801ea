//! The surface on a stand: TLS on a port of this machine, a store in memory, two invented virtual
//! machines, and a worker that does every step of every job at once. For trying clients.
//!
//! `cargo run -p coffre-arm --example stand -- FOLDER` writes the certificate authority to
//! `FOLDER/ca.pem`, prints what a client needs, and serves until it is ended. Every request is
//! logged. A second argument names a certificate as PEM with which the program may sign in too;
//! the user lets a device in when its code is typed.

use std::error::Error;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use coffre_control::port::tx;
use coffre_control::usecase::{add_certificate, read_certificate};
use coffre_control::{Caller, Cx};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[path = "../tests/world/mod.rs"]
mod world;

use world::{OWNER, SECRET, TENANT, USER_NAME, World, work};

/// The certificate authority as PEM, and a server configuration with a certificate of it.
fn certificates() -> Result<(String, ServerConfig), Box<dyn Error>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Coffre stand");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((authority.pem(), config))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter("coffre_arm=debug")
        .with_writer(std::io::stderr)
        .init();
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name a folder for ca.pem")?);
    let (authority, config) = certificates()?;
    std::fs::write(folder.join("ca.pem"), authority)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    let world = World::live(&url);
    if let Some(path) = std::env::args().nth(2) {
        let certificate =
            read_certificate(&std::fs::read_to_string(path)?).map_err(|refusal| refusal.message)?;
        let caller = Caller::system();
        let cx = Cx::new(&caller, jiff::Timestamp::now(), &uuid::Uuid::new_v4);
        tx(&*world.db, "certificate", |tx| {
            add_certificate(tx, &cx, OWNER.parse().expect("a uuid"), certificate)
        })
        .map_err(|refusal| refusal.message)?;
    }
    let devices = Arc::clone(&world.state.devices);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let who = uuid::Uuid::from_u128(0xa11).into();
            let known = devices.decide(&line, who, true, jiff::Timestamp::now());
            tracing::info!(known, "a code was typed");
        }
    });
    let db = Arc::clone(&world.db);
    std::thread::spawn(move || {
        loop {
            work(&*db, jiff::Timestamp::now());
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let summary = format!(
        "url={url}\nca={}\ntenant={TENANT}\nclient={OWNER}\nuser={USER_NAME}\nsecret={SECRET}\n",
        folder.join("ca.pem").display()
    );
    std::fs::write(folder.join("stand.env"), summary)?;
    let router = coffre_arm::router(world.state.clone());
    loop {
        let (stream, _) = listener.accept().await?;
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = TowerToHyperService::new(router);
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection");
            }
        });
    }
}
