//! Connections, and what can go wrong with them, named by stage.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::message::{Request, Response, read_response};
use super::proxy::{AGENT_CONF, Proxy, ProxySettings};
use crate::conf::Conf;

/// What was being done when a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Looking up the address of the name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// Getting through the proxy.
    Proxy,
    /// Agreeing on encryption, and checking the certificate.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the answer, or reading it.
    Answer,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "look up the name",
            Stage::Connect => "connect",
            Stage::Proxy => "get through the proxy",
            Stage::Tls => "agree on TLS",
            Stage::Send => "send the request",
            Stage::Answer => "read the answer",
        })
    }
}

/// A call that got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{host}: could not {stage}: {source}")]
pub struct TransportError {
    /// The peer.
    pub host: String,
    /// How far it went.
    pub stage: Stage,
    /// Why.
    pub source: io::Error,
}

/// Makes connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct Client {
    tls: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
    proxy: Arc<OnceLock<ProxySettings>>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A connection that has been made and waits for its one request.
pub struct Connection {
    stream: Stream,
    host: String,
}

impl Client {
    /// A connection to a host over HTTPS; its certificate is checked against the authorities of this machine
    /// (`SSL_CERT_FILE` names others). It goes through the proxy that the administrator of the machine set, if any.
    ///
    /// # Errors
    /// When there is no such host, nobody listens, the proxy refuses, or the certificate is not trusted.
    pub fn secure(&self, host: &str, timeout: Duration) -> Result<Connection, TransportError> {
        const PORT: u16 = 443;
        let until = Instant::now() + timeout;
        let error = |stage| move |source| TransportError { host: host.to_owned(), stage, source };
        let tls = self.config().map_err(error(Stage::Tls))?;
        let tcp = match self.proxy().towards(host) {
            None => connect(host, (host, PORT), until)?,
            Some(proxy) => proxy
                .map_err(io::Error::other)
                .and_then(|proxy| tunnel(proxy, host, PORT, until))
                .map_err(error(Stage::Proxy))?,
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|bad| error(Stage::Tls)(io::Error::other(bad)))?;
        let session = ClientConnection::new(tls, name)
            .map_err(|bad| error(Stage::Tls)(io::Error::other(bad)))?;
        let mut stream = StreamOwned::new(session, tcp);
        while stream.conn.is_handshaking() {
            limit(&stream.sock, until).map_err(error(Stage::Tls))?;
            stream.conn.complete_io(&mut stream.sock).map_err(error(Stage::Tls))?;
        }
        Ok(Connection { stream: Stream::Tls(Box::new(stream)), host: host.to_owned() })
    }

    /// A connection over plain HTTP.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn plain(&self, at: SocketAddr, timeout: Duration) -> Result<Connection, TransportError> {
        let host = if at.port() == 80 { at.ip().to_string() } else { at.to_string() };
        let tcp = connect(&host, at, Instant::now() + timeout)?;
        Ok(Connection { stream: Stream::Plain(tcp), host })
    }

    fn proxy(&self) -> &ProxySettings {
        self.proxy.get_or_init(|| {
            ProxySettings::new(&Conf::read(Path::new(AGENT_CONF)), |name| std::env::var(name).ok())
        })
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        self.tls.get_or_init(load_config).clone().map_err(io::Error::other)
    }
}

fn load_config() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(ToString::to_string).unwrap_or_default();
        return Err(format!("this machine has no certificates of authorities {why}"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn connect(
    host: &str,
    to: impl ToSocketAddrs,
    until: Instant,
) -> Result<TcpStream, TransportError> {
    let error = |stage, source| TransportError { host: host.to_owned(), stage, source };
    let addresses = to.to_socket_addrs().map_err(|source| error(Stage::Resolve, source))?;
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        let left = left(until).map_err(|source| error(Stage::Connect, source))?;
        match TcpStream::connect_timeout(&address, left) {
            Ok(tcp) => {
                // Without it the last piece of a request waits for an acknowledgement.
                tcp.set_nodelay(true).map_err(|source| error(Stage::Connect, source))?;
                return Ok(tcp);
            }
            Err(source) => last = source,
        }
    }
    Err(error(Stage::Connect, last))
}

/// A way through a proxy to a host.
fn tunnel(proxy: &Proxy, host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    let told = |why: String, kind| io::Error::new(kind, format!("{}: {why}", proxy.name()));
    let tcp =
        connect(&proxy.host, (proxy.host.as_str(), proxy.port), until).map_err(|failure| {
            let (stage, source) = (failure.stage, failure.source);
            told(format!("could not {stage}: {source}"), source.kind())
        })?;
    let mut stream = Stream::Plain(tcp);
    proxy
        .ask(&mut Timed { stream: &mut stream, until }, host, port)
        .map_err(|source| told(source.to_string(), source.kind()))?;
    match stream {
        Stream::Plain(tcp) => Ok(tcp),
        Stream::Tls(_) => Err(io::Error::other("the way to a proxy is a plain one")),
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn limit(tcp: &TcpStream, until: Instant) -> io::Result<()> {
    let left = left(until)?;
    tcp.set_read_timeout(Some(left))?;
    tcp.set_write_timeout(Some(left))
}

impl Connection {
    /// Sends the one request and reads the answer; of its body at most `body_max` bytes.
    ///
    /// # Errors
    /// When the peer does not answer in time, or not in HTTP.
    pub fn call(
        mut self,
        request: &Request,
        timeout: Duration,
        body_max: usize,
    ) -> Result<Response, TransportError> {
        let until = Instant::now() + timeout;
        let bytes = request.bytes(&self.host);
        let mut timed = Timed { stream: &mut self.stream, until };
        let sent = timed.write_all(&bytes).and_then(|()| timed.flush());
        let host = &self.host;
        let error = |stage| {
            move |source: io::Error| {
                // What a socket says when its time is over.
                let source = match source.kind() {
                    io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
                    _ => source,
                };
                TransportError { host: host.clone(), stage, source }
            }
        };
        sent.map_err(error(Stage::Send))?;
        read_response(&mut timed, body_max).map_err(error(Stage::Answer))
    }
}

/// A stream whose calls all end at one instant, however slowly the peer drips.
struct Timed<'a> {
    stream: &'a mut Stream,
    until: Instant,
}

impl Timed<'_> {
    fn limit(&self) -> io::Result<()> {
        match &*self.stream {
            Stream::Plain(tcp) => limit(tcp, self.until),
            Stream::Tls(tls) => limit(&tls.sock, self.until),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.limit()?;
        match self.stream {
            Stream::Plain(tcp) => tcp.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.limit()?;
        match self.stream {
            Stream::Plain(tcp) => tcp.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.limit()?;
        match self.stream {
            Stream::Plain(tcp) => tcp.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}
