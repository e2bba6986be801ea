//! The surface behind TLS on a port of this machine, with a worker that does every step of every job at once.

use std::error::Error;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::world::{World, work};

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

/// A surface that listens.
pub(crate) struct Stand {
    /// Where.
    pub(crate) url: String,
    acceptor: TlsAcceptor,
    listener: TcpListener,
    /// What it serves.
    pub(crate) world: World,
}

impl Stand {
    /// Listens on a free port; writes the certificate authority to `ca.pem` in the folder.
    pub(crate) async fn open(folder: &Path) -> Result<Stand, Box<dyn Error>> {
        let (authority, config) = certificates()?;
        std::fs::write(folder.join("ca.pem"), authority)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let world = World::live(&url);
        Ok(Stand { url, acceptor, listener, world })
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let db = Arc::clone(&self.world.db);
        std::thread::spawn(move || {
            loop {
                work(&*db, jiff::Timestamp::now());
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let router = coffre_arm::router(self.world.state.clone());
        loop {
            let (stream, _) = self.listener.accept().await?;
            let (acceptor, router) = (self.acceptor.clone(), router.clone());
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
}
