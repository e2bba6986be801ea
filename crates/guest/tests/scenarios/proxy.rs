//! A proxy between the machine and the storage, as the agent of the machine is configured.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::sandbox::servers::Shared;
use super::{Row, expect, host};

const CONF: &str = "/etc/waagent.conf";

pub(crate) fn rows(peers: &Shared) {
    let kept = fs::read(CONF).unwrap_or_default();
    let (port, asked) = proxy("200 Connection established");
    let row = Row::new(peers);
    through(port);
    row.check("P1: through a proxy", &expect("1", "success", 1, Some(&[true, true])));
    let wanted = format!("CONNECT {}:443 HTTP/1.1", host("acct"));
    {
        let asked = asked.lock().unwrap();
        assert!(asked.iter().all(|line| *line == wanted), "{asked:?}");
        // Two disks, and status and log, each more than once.
        assert_eq!(asked.len(), peers.lock().unwrap().blob_calls.len(), "nothing goes past it");
    }

    let (port, _) = proxy("407 Who are you");
    let row = Row::new(peers);
    through(port);
    refused(&row, &format!("proxy 127.0.0.1:{port}: it answered 407"));

    let row = Row::new(peers);
    through(1);
    refused(&row, "proxy 127.0.0.1:1: could not connect: ");
    fs::write(CONF, kept).unwrap();
}

/// Nothing gets through: the report names the host, how far it went, and why.
fn refused(row: &Row, why: &str) {
    let ended = row.run();
    assert_eq!(ended.file[0]["status"]["code"], "76", "{why}");
    let message = ended.inner[0]["status"]["formattedMessage"]["message"].as_str().unwrap();
    let words = format!("{}: could not get through the proxy: {why}", host("acct"));
    assert!(message.contains(&words), "{message}");
    super::sandbox::assert_nothing_is_frozen();
}

fn through(port: u16) {
    let text = format!("# by the administrator\nHttpProxy.Host=127.0.0.1\nHttpProxy.Port={port}\n");
    fs::write(CONF, text).unwrap();
}

/// A proxy that answers so; what it is asked for.
fn proxy(answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, heard) = (stream.unwrap(), heard.clone());
            std::thread::spawn(move || serve(stream, answer, &heard));
        }
    });
    (port, asked)
}

fn serve(mut stream: TcpStream, answer: &str, heard: &Mutex<Vec<String>>) {
    // One byte at a time: what follows the head is for the storage.
    let mut reader = BufReader::with_capacity(1, stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    heard.lock().unwrap().push(head[0].clone());
    stream.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).unwrap();
    if !answer.starts_with("200") {
        return;
    }
    let storage = TcpStream::connect("127.0.0.1:443").unwrap();
    let (mut from, mut to) = (storage.try_clone().unwrap(), stream.try_clone().unwrap());
    let back = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut stream, &mut &storage);
    let _ = storage.shutdown(Shutdown::Both);
    back.join().unwrap();
}
