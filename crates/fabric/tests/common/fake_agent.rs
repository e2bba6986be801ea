//! A guest agent that behaves as a test wants, in the place of the real one's socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// What the agent does that a good one does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Good,
    /// Never says anything.
    Silent,
    /// A hook of the guest vetoes.
    Refuses,
    /// There is nothing to freeze.
    Nothing,
    /// Freezes only after this time.
    Slow(Duration),
    /// Freezes at once, but answers only after this time.
    AnswersLate(Duration),
    /// Freezes and closes the connection.
    HangsUp,
    /// Says after the freeze that nothing was frozen any more.
    ThawedByOther,
    /// The first thaws fail.
    ThawFails(u32),
}

/// What happened to the guest.
#[derive(Debug, Default, Clone)]
pub(crate) struct Guest {
    pub(crate) frozen: bool,
    pub(crate) freezes: u32,
    pub(crate) thaws: u32,
}

/// A running agent. It ends with the test's process.
pub(crate) struct FakeAgent(Arc<Mutex<Guest>>);

impl FakeAgent {
    /// Takes the place of the agent at the socket.
    pub(crate) fn start(socket: &Path, manner: Manner, frozen: bool) -> Self {
        std::fs::remove_file(socket).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let guest = Arc::new(Mutex::new(Guest { frozen, ..Guest::default() }));
        std::thread::spawn({
            let guest = guest.clone();
            // One client at a time, as the channel of a machine.
            move || listener.incoming().for_each(|stream| talk(&stream.unwrap(), manner, &guest))
        });
        Self(guest)
    }

    pub(crate) fn guest(&self) -> Guest {
        self.0.lock().unwrap().clone()
    }
}

fn talk(stream: &UnixStream, manner: Manner, guest: &Mutex<Guest>) {
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return;
        }
        if manner == Manner::Silent {
            continue;
        }
        let start = line.iter().rposition(|byte| *byte == 0xff).map_or(0, |at| at + 1);
        let Ok(request) = serde_json::from_slice::<Value>(&line[start..]) else { continue };
        let Some(answer) = answer(&request, manner, guest) else { return };
        let mut out = Vec::new();
        if request["execute"] == "guest-sync-delimited" {
            // What a talk that was given up left behind comes first.
            out.extend(b"{\"return\": \"stale\"}\n{\"retu");
            out.push(0xff);
        }
        out.extend(answer.to_string().into_bytes());
        out.push(b'\n');
        let mut writer = stream;
        if writer.write_all(&out).is_err() {
            return;
        }
    }
}

/// The answer; `None` = the connection closes.
fn answer(request: &Value, manner: Manner, guest: &Mutex<Guest>) -> Option<Value> {
    let refusal = |text: &str| json!({ "error": { "class": "GenericError", "desc": text } });
    let mut guest = guest.lock().unwrap();
    Some(match request["execute"].as_str().unwrap() {
        "guest-sync-delimited" => json!({ "return": request["arguments"]["id"] }),
        "guest-info" => json!({ "return": { "version": "7.2", "supported_commands": [] } }),
        "guest-fsfreeze-status" => {
            json!({ "return": if guest.frozen { "frozen" } else { "thawed" } })
        }
        "guest-fsfreeze-freeze" => {
            guest.freezes += 1;
            match manner {
                Manner::Refuses => refusal("hook script has failed"),
                Manner::Nothing => json!({ "return": 0 }),
                Manner::Slow(after) => {
                    // As a hook of the guest that takes its time; then it is frozen all the same.
                    std::thread::sleep(after);
                    guest.frozen = true;
                    json!({ "return": 2 })
                }
                Manner::AnswersLate(after) => {
                    guest.frozen = true;
                    drop(guest);
                    std::thread::sleep(after);
                    return Some(json!({ "return": 2 }));
                }
                Manner::HangsUp => {
                    guest.frozen = true;
                    return None;
                }
                _ => {
                    guest.frozen = true;
                    json!({ "return": 2 })
                }
            }
        }
        "guest-fsfreeze-thaw" => {
            guest.thaws += 1;
            match manner {
                Manner::ThawFails(times) if guest.thaws <= times => refusal("not now"),
                Manner::ThawedByOther => {
                    guest.frozen = false;
                    json!({ "return": 0 })
                }
                _ => {
                    guest.frozen = false;
                    json!({ "return": 2 })
                }
            }
        }
        other => refusal(&format!("The command {other} has not been found")),
    })
}
