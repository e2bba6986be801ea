//! The log of a machine's guest, read at this moment through its agent. What a guest says is
//! somebody else's: it is shown as text, cut, and without what a terminal or a browser would obey.

use askama::Template;
use axum::extract::{Path, State};
use coffre_control::id::VmId;
use coffre_control::usecase::vm::get_vm_by_id;
use tokio::sync::Semaphore;

use crate::az::{AzCommand, is_treacherous};
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::page::vm::log_command;
use crate::sentence::capitalised;
use crate::view::TimeElement;

/// Letters that are shown of all files together: of each its end.
const LETTERS_MAX: usize = 32 << 10;
/// Files that are shown.
const FILES_MAX: usize = 8;
/// Guests that are read at the same time.
static READS: Semaphore = Semaphore::const_new(2);

#[derive(Template)]
#[template(path = "guest_log.html")]
struct GuestLogPage<'a> {
    view: &'a View,
    section: &'static str,
    id: String,
    name: &'a str,
    read_at: TimeElement,
    failed: Option<Notice>,
    files: Vec<File>,
    none: Empty,
    az: AzLines<'a>,
}

struct File {
    path: String,
    text: String,
    is_cut: bool,
}

/// `GET /portal/vms/{id}/log`.
pub(crate) async fn show(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let id: VmId = parse_id(&id)?;
    let found =
        app.look("portal_guest_log", view.caller(), move |tx, cx| get_vm_by_id(tx, cx, id)).await?;
    // A guest takes its time: few wait for one, and no transaction does.
    let permit = READS.acquire().await;
    let read = app.blocking(move |given| Ok((given.guest_logs)(id))).await?;
    drop(permit);
    let (files, failed) = match read {
        Ok(logs) => {
            let room = LETTERS_MAX / logs.len().clamp(1, FILES_MAX);
            (logs.iter().take(FILES_MAX).map(|log| file(log, room)).collect(), None)
        }
        Err(reason) => {
            let lines =
                [capitalised(&view.say(&plain(&reason))), view.t("guest-log-failed-advice")];
            (Vec::new(), Some(Notice::new(Tone::Warn, lines).titled(view.t("guest-log-failed"))))
        }
    };
    html(&GuestLogPage {
        view: &view,
        section: "vms",
        id: id.to_string(),
        name: &found.vm.name,
        read_at: view.time_exact(view.now),
        failed,
        files,
        none: empty(&view, "guest-log-none", "guest-log-none-text"),
        az: az(
            &view,
            [AzCommand::new("rest --method get").option("--url", &log_command(&found.vm))],
        ),
    })
}

fn file(log: &crate::state::GuestLog, room: usize) -> File {
    let (text, is_cut) = end_of(&log.text, room);
    File { path: plain(&log.path), text: plain(text), is_cut }
}

/// The end of a text, from the beginning of a line where there is one.
fn end_of(text: &str, room: usize) -> (&str, bool) {
    let Some((from, _)) = text.char_indices().rev().nth(room) else { return (text, false) };
    let rest = &text[from..];
    (rest.split_once('\n').map_or(rest, |(_, lines)| lines), true)
}

/// Characters that would be obeyed or hide something are shown as what they are not.
fn plain(text: &str) -> String {
    let shown = |c| if c != '\n' && c != '\t' && is_treacherous(c) { '\u{fffd}' } else { c };
    text.replace("\r\n", "\n").chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_obeyed_is_shown_as_a_mark() {
        assert_eq!(plain("a\tb\r\nc\u{1b}[31m\u{202e}d\0"), "a\tb\nc\u{fffd}[31m\u{fffd}d\u{fffd}");
    }

    #[test]
    fn the_end_of_a_long_log_begins_with_a_line() {
        assert_eq!(end_of("short", 5), ("short", false));
        let long = format!("{}\nlast", "é".repeat(9));
        assert_eq!(end_of(&long, 7), ("last", true));
        assert_eq!(end_of("line\nline\nline\n", 12), ("line\nline\n", true));
    }
}
