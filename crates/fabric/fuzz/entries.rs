//! What the fuzzer calls, and the replay of its finds on a stable compiler.
#![allow(dead_code, reason = "each target uses one")]

use coffre_fabric::nbd::handshake::Handshake;
use coffre_fabric::nbd::reply::{Expect, Replies, Reply};
use coffre_fabric::qmp::codec::Codec;

/// The first byte says how the rest is cut.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (cut, rest) = bytes.split_first().unwrap_or((&1, &[]));
    rest.chunks(usize::from(*cut).max(1))
}

/// A server in the handshake.
pub(crate) fn nbd_handshake(bytes: &[u8]) {
    let contexts = ["base:allocation".to_owned(), "qemu:dirty-bitmap:b".to_owned()];
    let mut handshake = Handshake::new("export", &contexts).expect("short names");
    for piece in pieces(bytes) {
        if handshake.receive(piece).is_err() {
            return;
        }
        assert!(handshake.take_outgoing().len() < 4096);
    }
}

/// A server that answers three requests.
pub(crate) fn nbd_reply(bytes: &[u8]) {
    const OFFSET: u64 = 1 << 20;
    const LENGTH: u32 = 4096;
    let mut replies = Replies::new();
    replies.expect(1, Expect::Data { offset: OFFSET, length: LENGTH });
    replies.expect(2, Expect::Status { length: LENGTH });
    replies.expect(3, Expect::Nothing);
    let mut given = 0;
    for piece in pieces(bytes) {
        replies.receive(piece);
        loop {
            let (offset, length) = match replies.next_reply() {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some(Reply::Data { offset, bytes, .. })) => (offset, bytes.len() as u64),
                Ok(Some(Reply::Zeros { offset, length, .. })) => (offset, u64::from(length)),
                Ok(Some(Reply::Status { extents, .. })) => {
                    let all: u64 = extents.iter().map(|extent| extent.length).sum();
                    assert!(all <= u64::from(LENGTH));
                    continue;
                }
                Ok(Some(Reply::Done { cookie, result })) => {
                    let whole = given == u64::from(LENGTH);
                    assert!(cookie != 1 || result.is_err() || whole, "a read with gaps");
                    continue;
                }
            };
            assert!(offset >= OFFSET && offset + length <= OFFSET + u64::from(LENGTH));
            given += length;
            assert!(given <= u64::from(LENGTH), "bytes came twice");
        }
    }
}

/// QEMU or a guest agent.
pub(crate) fn qmp_line(bytes: &[u8]) {
    let mut codec = Codec::new(1024);
    for piece in pieces(bytes) {
        codec.receive(piece);
        if piece.first() == Some(&0xff) {
            codec.drop_until_mark();
        }
        while !matches!(codec.next_message(), Ok(None)) {}
    }
}
