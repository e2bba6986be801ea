//! Laws of the NBD codec: where the bytes are cut does not matter, and no bytes make it panic.

use coffre_fabric::nbd::handshake::{Export, Handshake, MetaContext};
use coffre_fabric::nbd::reply::{Expect, Replies, Reply};
use coffre_fabric::nbd::{NbdError, StatusExtent};
use proptest::prelude::*;

/// What a decoder said, without borrowed bytes.
#[derive(Debug, PartialEq, Eq, Clone)]
enum Fact {
    Data(u64, u64, Vec<u8>),
    Zeros(u64, u64, u32),
    Status(u64, u32, Vec<StatusExtent>),
    Done(u64, Result<(), (u32, String)>),
}

fn owned(reply: Reply<'_>) -> Fact {
    match reply {
        Reply::Data { cookie, offset, bytes } => Fact::Data(cookie, offset, bytes.to_vec()),
        Reply::Zeros { cookie, offset, length } => Fact::Zeros(cookie, offset, length),
        Reply::Status { cookie, context, extents } => Fact::Status(cookie, context, extents),
        Reply::Done { cookie, result } => Fact::Done(cookie, result),
    }
}

fn chunk(flags: u16, kind: u16, cookie: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = 0x668e_33ef_u32.to_be_bytes().to_vec();
    out.extend(flags.to_be_bytes());
    out.extend(kind.to_be_bytes());
    out.extend(cookie.to_be_bytes());
    out.extend((payload.len() as u32).to_be_bytes());
    out.extend(payload);
    out
}

fn simple(errno: u32, cookie: u64, data: &[u8]) -> Vec<u8> {
    let mut out = 0x6744_6698_u32.to_be_bytes().to_vec();
    out.extend(errno.to_be_bytes());
    out.extend(cookie.to_be_bytes());
    out.extend(data);
    out
}

/// A request and the bytes of a right answer to it.
#[derive(Debug, Clone)]
struct Call {
    expect: Expect,
    pieces: Vec<Vec<u8>>,
}

fn call(cookie: u64) -> impl Strategy<Value = Call> {
    let data = |bytes: &[u8], offset: u64| [&offset.to_be_bytes()[..], bytes].concat();
    let read = prop::collection::vec((any::<bool>(), 1_u32..200), 1..5).prop_map(move |parts| {
        let offset = 1 << 40;
        let mut at = offset;
        let mut pieces = Vec::new();
        for (index, (hole, length)) in parts.iter().enumerate() {
            let flags = u16::from(index + 1 == parts.len());
            let payload = match hole {
                true => data(&length.to_be_bytes(), at),
                false => data(&vec![index as u8; *length as usize], at),
            };
            pieces.push(chunk(flags, if *hole { 2 } else { 1 }, cookie, &payload));
            at += u64::from(*length);
        }
        Call { expect: Expect::Data { offset, length: (at - offset) as u32 }, pieces }
    });
    let simple_read = prop::collection::vec(any::<u8>(), 1..300).prop_map(move |bytes| Call {
        expect: Expect::Data { offset: 7, length: bytes.len() as u32 },
        pieces: vec![simple(0, cookie, &bytes)],
    });
    let status = prop::collection::vec((1_u32..9, any::<u32>()), 1..6).prop_map(move |extents| {
        let mut payload = 3_u32.to_be_bytes().to_vec();
        for (length, flags) in &extents {
            payload.extend(length.to_be_bytes());
            payload.extend(flags.to_be_bytes());
        }
        let length = extents.iter().map(|extent| extent.0).sum::<u32>();
        Call { expect: Expect::Status { length }, pieces: vec![chunk(1, 5, cookie, &payload)] }
    });
    let error = ("[a-z]{0,20}", any::<bool>()).prop_map(move |(text, at_offset)| {
        let mut payload = 5_u32.to_be_bytes().to_vec();
        payload.extend((text.len() as u16).to_be_bytes());
        payload.extend(text.as_bytes());
        if at_offset {
            payload.extend(9_u64.to_be_bytes());
        }
        let kind = 0x8001 + u16::from(at_offset);
        let pieces = vec![chunk(0, kind, cookie, &payload), chunk(1, 0, cookie, &[])];
        Call { expect: Expect::Nothing, pieces }
    });
    prop_oneof![read, simple_read, status, error]
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    (call(0), call(1), call(2)).prop_map(|calls| vec![calls.0, calls.1, calls.2])
}

/// Decodes a stream that arrives cut as `cuts` say.
fn decode(calls: &[Call], stream: &[u8], cuts: &[usize]) -> Result<Vec<Fact>, NbdError> {
    let mut replies = Replies::new();
    for (cookie, call) in calls.iter().enumerate() {
        replies.expect(cookie as u64, call.expect);
    }
    let mut facts = Vec::new();
    let mut rest = stream;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let length = cuts.next().map_or(rest.len(), |cut| *cut).clamp(1, rest.len());
        let (head, tail) = rest.split_at(length);
        rest = tail;
        replies.receive(head);
        while let Some(reply) = replies.next_reply()? {
            facts.push(owned(reply));
        }
    }
    Ok(facts)
}

proptest! {
    #[test]
    fn cuts_do_not_matter(calls in calls(), cuts in prop::collection::vec(1_usize..40, 1..8)) {
        // Pieces of different requests come mixed, those of one request in order.
        let mut stream = Vec::new();
        for index in 0..calls.iter().map(|call| call.pieces.len()).max().unwrap_or(0) {
            for call in &calls {
                stream.extend(call.pieces.get(index).into_iter().flatten());
            }
        }
        let whole = decode(&calls, &stream, &[]).unwrap();
        prop_assert_eq!(whole.iter().filter(|fact| matches!(fact, Fact::Done(..))).count(), 3);
        prop_assert_eq!(decode(&calls, &stream, &cuts).unwrap(), whole.clone());
        prop_assert_eq!(decode(&calls, &stream, &[1]).unwrap(), whole);
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_other_facts_never_a_panic(
        calls in calls(), at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let mut stream: Vec<u8> = calls.iter().flat_map(|call| call.pieces.concat()).collect();
        let at = at.index(stream.len());
        stream[at] ^= 1_u8 << bit;
        for fact in decode(&calls, &stream, &[7]).unwrap_or_default() {
            if let Fact::Data(cookie, offset, bytes) = fact {
                let Expect::Data { offset: from, length } = calls[cookie as usize].expect else {
                    panic!("data for a request that is no read");
                };
                prop_assert!(offset >= from);
                prop_assert!(offset + bytes.len() as u64 <= from + u64::from(length));
            }
        }
    }

    #[test]
    fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..600), cut in 1..50_usize) {
        let mut handshake = Handshake::new("disk", &["base:allocation".to_owned()]).unwrap();
        let hello = b"NBDMAGICIHAVEOPT\x00\x03";
        let _ = handshake.receive(hello);
        for piece in garbage.chunks(cut) {
            if handshake.receive(piece).is_err() {
                break;
            }
        }
        for magic in [&[][..], &[0x66, 0x8e, 0x33, 0xef], &[0x67, 0x44, 0x66, 0x98]] {
            let mut replies = Replies::new();
            replies.expect(0, Expect::Data { offset: 0, length: 64 });
            replies.receive(magic);
            for piece in garbage.chunks(cut) {
                replies.receive(piece);
                while let Ok(Some(_)) = replies.next_reply() {}
            }
        }
    }
}

fn option_reply(option: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let mut out = 0x0003_e889_0455_65a9_u64.to_be_bytes().to_vec();
    out.extend(option.to_be_bytes());
    out.extend(kind.to_be_bytes());
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(data);
    out
}

#[test]
fn a_handshake_works_byte_by_byte() {
    let mut context = 9_u32.to_be_bytes().to_vec();
    context.extend(b"base:allocation");
    let mut export = 0_u16.to_be_bytes().to_vec();
    export.extend(4096_u64.to_be_bytes());
    export.extend(0b101_u16.to_be_bytes());
    let answers = [
        b"NBDMAGICIHAVEOPT\x00\x03".to_vec(),
        option_reply(8, 1, &[]),
        [option_reply(10, 4, &context), option_reply(10, 1, &[])].concat(),
        [option_reply(7, 3, &export), option_reply(7, 1, &[])].concat(),
    ];
    let mut handshake = Handshake::new("disk", &["base:allocation".to_owned()]).unwrap();
    for answer in answers {
        assert!(handshake.export().is_none());
        for byte in answer {
            handshake.receive(&[byte]).unwrap();
        }
    }
    let contexts = vec![MetaContext { id: 9, name: "base:allocation".to_owned() }];
    let expected = Export { size_bytes: 4096, flags: 0b101, structured: true, contexts };
    assert_eq!(handshake.export(), Some(&expected));
    assert!(handshake.receive(&[0]).is_err(), "nothing may follow unasked");
}

#[test]
fn answers_that_lie_are_refused() {
    let read = Expect::Data { offset: 100, length: 50 };
    let data = |offset: u64, length: usize| [&offset.to_be_bytes()[..], &vec![0; length]].concat();
    let cases: [(&str, Expect, Vec<u8>); 10] = [
        ("before the range", read, chunk(1, 1, 0, &data(99, 10))),
        ("after the range", read, chunk(1, 1, 0, &data(141, 10))),
        ("with a gap", read, chunk(1, 1, 0, &data(100, 49))),
        ("twice", read, [chunk(0, 1, 0, &data(100, 30)), chunk(1, 1, 0, &data(120, 30))].concat()),
        ("too long", read, chunk(1, 1, 0, &data(100, 51))),
        ("to nobody", read, simple(0, 1, &[0; 50])),
        ("data for a flush", Expect::Nothing, chunk(1, 1, 0, &data(0, 10))),
        ("state for a read", read, chunk(1, 5, 0, &[0; 12])),
        ("an error without number", read, chunk(1, 0x8001, 0, &[0; 6])),
        ("a huge piece", Expect::Status { length: 9 }, {
            let mut head = chunk(1, 5, 0, &[]);
            head[16..].copy_from_slice(&u32::MAX.to_be_bytes());
            head
        }),
    ];
    for (name, expect, bytes) in cases {
        let call = Call { expect, pieces: Vec::new() };
        let decoded = decode(&[call], &bytes, &[]);
        assert!(matches!(decoded, Err(NbdError::Protocol(_))), "{name}: {decoded:?}");
    }
}
