//! The peers of the handler: a host at its fixed address, and a storage with a certificate of its own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in their case and order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) after: Duration,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        Answer { status, headers: Vec::new(), body, after: Duration::ZERO }
    }
}

/// A blob of the storage.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) is_page: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) snapshots: usize,
    /// Status and text that every change is answered with.
    pub(crate) refuses: Option<(u16, String)>,
}

/// How the peers behave, and what they saw.
#[derive(Default)]
pub(crate) struct Peers {
    pub(crate) presnapshot: Vec<Answer>,
    pub(crate) dosnapshot: Option<Answer>,
    pub(crate) blobs: BTreeMap<String, Blob>,
    /// Answers of the wire server and of the host's plugin, by method and target.
    pub(crate) documents: BTreeMap<String, Answer>,
    pub(crate) host_calls: Vec<Call>,
    pub(crate) blob_calls: Vec<Call>,
}

pub(crate) type Shared = Arc<Mutex<Peers>>;

/// Starts both peers; they live as long as the test. The certificate of the authority goes where the handler looks.
pub(crate) fn start() -> Shared {
    let shared = Shared::default();
    for port in [80, 32526] {
        let host = TcpListener::bind(("168.63.129.16", port)).expect("the host's address is on lo");
        let peers = shared.clone();
        std::thread::spawn(move || {
            for stream in host.incoming() {
                let (mut stream, peers) = (stream.unwrap(), peers.clone());
                std::thread::spawn(move || serve(&mut stream, |call| host_answer(&peers, call)));
            }
        });
    }
    let config = certificate();
    let storage = TcpListener::bind("127.0.0.1:443").expect("nobody else is on this machine");
    let peers = shared.clone();
    std::thread::spawn(move || {
        for stream in storage.incoming() {
            let (stream, peers) = (stream.unwrap(), peers.clone());
            let session = ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || {
                let mut stream = StreamOwned::new(session, stream);
                serve(&mut stream, |call| blob_answer(&peers, call));
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
    shared
}

/// Makes an authority that the handler trusts, and a certificate of it for the storage; also as `/run/leaf.pem` and
/// `/run/leaf.key`.
pub(crate) fn certificate() -> Arc<ServerConfig> {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).unwrap();
    std::fs::write("/run/authority.pem", root.pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["*.blob.core.windows.net".to_owned()];
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write("/run/leaf.pem", leaf.pem()).unwrap();
    std::fs::write("/run/leaf.key", key.serialize_pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

pub(crate) fn serve(stream: &mut (impl Read + Write), answer: impl Fn(Call) -> Answer) {
    let Some(call) = read_call(stream) else { return };
    let answer = answer(call);
    std::thread::sleep(answer.after);
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
    if !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
    }
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("Connection: close\r\n\r\n");
    let _ = stream.write_all(&[head.into_bytes(), answer.body].concat());
    let _ = stream.flush();
}

fn read_call(stream: &mut impl Read) -> Option<Call> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16384];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(used)) = request.parse(&bytes) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (method, target) = (request.method?.to_owned(), request.path?.to_owned());
            let headers: Vec<_> = request
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), text(header.value)))
                .collect();
            let length = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.parse().unwrap());
            let mut body = bytes[used..].to_vec();
            while body.len() < length {
                let got = stream.read(&mut piece).ok().filter(|got| *got > 0)?;
                body.extend_from_slice(&piece[..got]);
            }
            return Some(Call { at: Instant::now(), method, target, headers, body });
        }
        let got = stream.read(&mut piece).ok().filter(|got| *got > 0)?;
        bytes.extend_from_slice(&piece[..got]);
    }
}

fn host_answer(peers: &Shared, call: Call) -> Answer {
    let mut peers = peers.lock().unwrap();
    let is_pre = call.target.contains("/presnapshot");
    let document = peers.documents.get(&format!("{} {}", call.method, call.target)).cloned();
    let is_service = call.target.starts_with("/metadata/recsvc/");
    peers.host_calls.push(call);
    if !is_service {
        return document.unwrap_or_else(|| Answer::new(404, ""));
    }
    let answer = if is_pre {
        let many = peers.presnapshot.len();
        let at = peers.host_calls.iter().filter(|c| c.target.contains("/presnapshot")).count();
        peers.presnapshot.get((at - 1).min(many.saturating_sub(1))).cloned()
    } else {
        peers.dosnapshot.clone()
    };
    answer.unwrap_or_else(|| Answer::new(404, "not here"))
}

fn blob_answer(peers: &Shared, call: Call) -> Answer {
    let mut peers = peers.lock().unwrap();
    let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
    let host = call.header("Host").unwrap_or_default();
    let (key, query) = (format!("{host}{path}"), query.to_owned());
    let (method, body) = (call.method.clone(), call.body.clone());
    let given = |name: &str| call.header(name).map(str::to_owned);
    let (kind, write, range) =
        (given("x-ms-blob-type"), given("x-ms-page-write"), given("x-ms-range"));
    let size = given("x-ms-blob-content-length");
    peers.blob_calls.push(call.clone());
    let Some(blob) = peers.blobs.get_mut(&key) else { return Answer::new(404, "no such blob") };
    if method == "GET" {
        let mut answer = Answer::new(200, "");
        answer.headers = blob.metadata.clone();
        let kind = if blob.is_page { "PageBlob" } else { "BlockBlob" };
        answer.headers.push(("x-ms-blob-type".to_owned(), kind.to_owned()));
        answer.body = blob.bytes.clone();
        return answer;
    }
    if let Some((status, text)) = &blob.refuses {
        return Answer::new(*status, text);
    }
    let mut answer = Answer::new(201, "");
    if query.ends_with("&comp=snapshot") {
        blob.snapshots += 1;
        let id = format!("2026-11-22T00:00:00.000000{}Z", blob.snapshots);
        answer.headers.push(("x-ms-snapshot".to_owned(), id));
    } else if query.ends_with("&comp=properties") {
        blob.bytes.resize(size.unwrap().parse().unwrap(), 0);
        answer.status = 200;
    } else if query.ends_with("&comp=page") {
        let range = range.unwrap();
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        if first % 512 != 0 || (last + 1) % 512 != 0 || last >= blob.bytes.len() {
            return Answer::new(416, "range");
        }
        match write.as_deref() {
            Some("clear") => blob.bytes[first..=last].fill(0),
            _ => blob.bytes[first..=last].copy_from_slice(&body),
        }
    } else {
        assert_eq!(kind.as_deref(), Some("BlockBlob"));
        blob.bytes = body;
    }
    answer
}
