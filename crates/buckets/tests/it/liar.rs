//! A store that ignores the condition of a creation must not get a vault.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use coffre_vault::{Passphrase, Vault, VaultError};

use crate::emulator::Emulator;

/// Passes everything on, but the condition.
fn proxy(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            std::thread::spawn(move || pass_on(client, to));
        }
    });
    port
}

/// One request for each connection: what the client sends is short enough to be read whole.
fn pass_on(mut client: TcpStream, to: u16) -> Option<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 65536];
    let (head_end, length) = loop {
        let read = client.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            break (end, length.map_or(0, |length| length.trim().parse().unwrap()));
        }
    };
    while request.len() < head_end + 4 + length {
        let read = client.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
    }
    let head = String::from_utf8_lossy(&request[..head_end]).into_owned();
    let kept: Vec<&str> = head
        .lines()
        .filter(|line| {
            let line = line.to_lowercase();
            !line.starts_with("if-none-match") && !line.starts_with("connection")
        })
        .collect();
    let mut server = TcpStream::connect(("127.0.0.1", to)).ok()?;
    write!(server, "{}\r\nConnection: close\r\n\r\n", kept.join("\r\n")).ok()?;
    server.write_all(&request[head_end + 4..]).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    client.write_all(&answer).ok()
}

#[test]
fn a_store_that_overwrites_is_refused() {
    let emulator = Emulator::s3();
    let profile = Emulator::s3_profile(proxy(emulator.port));
    let store = coffre_buckets::open_with("s3://vaults/lies", Some(profile.path())).unwrap();
    let made = Vault::create(store, &Passphrase::new("x"));
    let error = made.err().unwrap();
    assert!(
        matches!(error, VaultError::UnfitStore { rule: "a taken key cannot be created" }),
        "{error:?}"
    );
}
