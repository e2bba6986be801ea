//! Laws of the QMP codec and of the client over it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use coffre_fabric::qmp::codec::{Codec, Command, Event, Message};
use coffre_fabric::qmp::{QmpClient, QmpError};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

const LINE_BYTES_MAX: usize = 4096;

fn message() -> impl Strategy<Value = (Value, Message)> {
    let text = "[ -~é☃\\n\"]{0,20}";
    let returned = (any::<u32>(), text).prop_map(|(id, value)| {
        let line = json!({ "return": value, "id": id });
        (line, Message::Return { id: Some(id.into()), value: value.into() })
    });
    let failed = (any::<u32>(), text).prop_map(|(id, description)| {
        let error = json!({ "class": "GenericError", "desc": description });
        let class = "GenericError".to_owned();
        let id = u64::from(id);
        (json!({ "error": error, "id": id }), Message::Error { id: Some(id), class, description })
    });
    let event = ("[A-Z_]{1,9}", prop::option::of(text)).prop_map(|(name, data)| {
        let mut line = json!({ "event": name, "timestamp": { "seconds": 1, "microseconds": 2 } });
        if let Some(data) = &data {
            line["data"] = json!(data);
        }
        (line, Message::Event(Event { name, data: data.map_or(Value::Null, Value::from) }))
    });
    prop_oneof![returned, failed, event]
}

fn decode(stream: &[u8], cut: usize) -> Vec<Result<Message, String>> {
    let mut codec = Codec::new(LINE_BYTES_MAX);
    let mut messages = Vec::new();
    for piece in stream.chunks(cut) {
        codec.receive(piece);
        loop {
            match codec.next_message() {
                Ok(Some(message)) => messages.push(Ok(message)),
                Ok(None) => break,
                Err(error) => messages.push(Err(error.to_string())),
            }
        }
    }
    messages
}

proptest! {
    #[test]
    fn cuts_do_not_matter(messages in prop::collection::vec(message(), 0..6), cut in 1..40_usize) {
        let stream: String = messages.iter().map(|(line, _)| format!("{line}\r\n")).collect();
        let expected: Vec<_> = messages.into_iter().map(|(_, message)| Ok(message)).collect();
        prop_assert_eq!(decode(stream.as_bytes(), cut), expected.clone());
        prop_assert_eq!(decode(stream.as_bytes(), usize::MAX), expected);
    }

    #[test]
    fn garbage_never_panics_and_the_next_line_is_read(
        garbage in prop::collection::vec(any::<u8>(), 0..300), cut in 1..50_usize,
    ) {
        let mut stream = garbage;
        stream.extend(b"\n{\"return\": 5}\n");
        let messages = decode(&stream, cut);
        let last = Message::Return { id: None, value: json!(5) };
        prop_assert_eq!(messages.last(), Some(&Ok(last)));
    }

    #[test]
    fn a_command_is_one_line(name in "[a-z-]{1,20}", text in "\\PC{0,40}", id in any::<u64>()) {
        let arguments = json!({ "text": text });
        let command = Command { execute: &name, arguments: &arguments, id: Some(id) };
        let line = command.encode();
        prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let back: Value = serde_json::from_slice(&line).unwrap();
        prop_assert_eq!(back, json!({ "execute": name, "arguments": arguments, "id": id }));
    }
}

#[test]
fn a_line_without_an_end_is_an_error_and_takes_no_more_memory() {
    let mut codec = Codec::new(LINE_BYTES_MAX);
    let mut failed = false;
    for _ in 0..10 {
        codec.receive(&[b'x'; 1000]);
        failed |= codec.next_message().is_err();
    }
    assert!(failed);
}

#[test]
fn a_mark_drops_what_came_before() {
    let mut codec = Codec::new(LINE_BYTES_MAX);
    codec.receive(b"{\"return\": 1}\n{\"retur\xff{\"return\": 2}\n");
    assert!(codec.drop_until_mark());
    let message = codec.next_message().unwrap();
    assert_eq!(message, Some(Message::Return { id: None, value: json!(2) }));
    assert!(!codec.drop_until_mark());
}

/// A server that greets and then does with each line what the test says.
fn server(
    folder: &TempDir,
    mut reply: impl FnMut(Value, &mut UnixStream) + Send + 'static,
) -> QmpClient {
    let socket = folder.path().join("qmp");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        writeln!(stream, "{}", json!({ "QMP": { "version": {}, "capabilities": [] } })).unwrap();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let Ok(line) = line else { return };
            let request: Value = serde_json::from_str(&line).unwrap();
            if request["execute"] == "qmp_capabilities" {
                writeln!(stream, "{}", json!({ "return": {}, "id": request["id"] })).unwrap();
            } else {
                reply(request, &mut stream);
            }
        }
    });
    QmpClient::connect(&socket).unwrap()
}

#[test]
fn answers_find_who_asked_whatever_their_order() {
    let folder = TempDir::new().unwrap();
    let mut held: Vec<Value> = Vec::new();
    let client = server(&folder, move |request, stream| {
        held.push(request);
        if held.len() == 3 {
            for request in held.drain(..).rev() {
                let answer = json!({ "return": request["execute"], "id": request["id"] });
                writeln!(stream, "{}", json!({ "event": "BETWEEN" })).unwrap();
                writeln!(stream, "{answer}").unwrap();
            }
        }
    });
    let events = client.events();
    std::thread::scope(|scope| {
        for name in ["one", "two", "three"] {
            let client = &client;
            scope.spawn(move || assert_eq!(client.command(name, Value::Null).unwrap(), name));
        }
    });
    for _ in 0..3 {
        let event = events.next(Duration::from_secs(5)).unwrap().unwrap();
        assert_eq!((event.name.as_str(), event.data), ("BETWEEN", Value::Null));
    }
    assert!(events.next(Duration::ZERO).unwrap().is_none());
}

#[test]
fn an_answer_that_comes_late_is_still_had_and_a_closed_connection_is_told() {
    let folder = TempDir::new().unwrap();
    let client = server(&folder, |request, stream| match request["execute"].as_str().unwrap() {
        "slow" => {
            std::thread::sleep(Duration::from_millis(200));
            writeln!(stream, "{}", json!({ "return": "done", "id": request["id"] })).unwrap();
        }
        "bad" => {
            let error = json!({ "class": "GenericError", "desc": "no" });
            writeln!(stream, "{}", json!({ "error": error, "id": request["id"] })).unwrap();
        }
        _ => stream.shutdown(std::net::Shutdown::Both).unwrap(),
    });
    let pending = client.begin("slow", Value::Null).unwrap();
    let late = pending.wait(Duration::from_millis(20));
    assert!(matches!(late, Err(QmpError::Timeout { .. })), "{late:?}");
    assert_eq!(pending.wait(Duration::from_secs(5)).unwrap(), "done");
    let refused = client.command("bad", Value::Null).unwrap_err();
    assert_eq!(refused.refusal(), Some("no"));
    let events = client.events();
    assert!(matches!(client.command("end", Value::Null), Err(QmpError::Closed)));
    assert!(matches!(events.next(Duration::from_secs(5)), Err(QmpError::Closed)));
    assert!(client.is_closed());
    assert!(matches!(client.command("more", Value::Null), Err(QmpError::Closed)));
}
