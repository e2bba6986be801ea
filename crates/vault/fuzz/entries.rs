//! What the fuzzer calls: one function for each parser of bytes that come from a store, a person or another program.
//! Each says what holds for any input; what the fuzzer found is replayed by the tests below.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::Extent;
use crate::bucket::{check_key, check_prefix};
use crate::crypto::{Keyring, RecoveryKey, SealKey, SlotFile, TAG_BYTES, Unlock};
use crate::format::{
    ActiveRecord, BLOCK, BLOCK_BYTES, Codec, DISK_BYTES_MAX, DecisionRecord, DeletionRecord,
    FRAME_HEADER_BYTES, FrameHeader, Id, Node, PackHeader, PackId, PackListRecord, PendingRecord,
    ReceiptRecord, RecordKind, RootFile, Seal, Segment, TRAILER_BYTES, frame_meaning, open_record,
    parse_directory, parse_trailer, write_directory,
};
use crate::read::{Decoder, PackOpener};
use crate::write::align;

/// A parser as the fuzzer knows it.
pub type Entry = (&'static str, fn(&[u8]));

/// All of them, by the names of their targets.
pub const ENTRIES: &[Entry] = &[
    ("root", root),
    ("key_slot", key_slot),
    ("recovery_key", recovery_key),
    ("pack_header", pack_header),
    ("pack_footer", pack_footer),
    ("frame", frame),
    ("frame_content", frame_content),
    ("segment", segment),
    ("node", node),
    ("sealed_record", sealed_record),
    ("decision", decision),
    ("intent", intent),
    ("pack_list", pack_list),
    ("deletion", deletion),
    ("receipt", receipt),
    ("active", active),
    ("changed_map", changed_map),
    ("object_key", object_key),
];

/// The root object.
pub fn root(bytes: &[u8]) {
    if let Ok(root) = serde_json::from_slice::<RootFile>(bytes) {
        let readable = root.unknown_to_readers().is_none();
        assert!(readable || root.unknown_to_writers().is_some(), "a writer reads as well");
        let again: RootFile = serde_json::from_slice(&root.to_bytes()).expect("what we write");
        assert_eq!(again, root);
    }
}

/// A key slot: it is read, written again as it was, and does not open with a key that it was not made for.
pub fn key_slot(bytes: &[u8]) {
    let Ok(slot) = serde_json::from_slice::<SlotFile>(bytes) else { return };
    let again: SlotFile = serde_json::from_slice(&slot.to_bytes()).expect("what we write");
    assert_eq!(again.to_bytes(), slot.to_bytes());
    let paper: RecoveryKey = PAPER.trim().parse().expect("a good key");
    assert!(!matches!(slot.unwrap(&[0; 32], &Unlock::RecoveryKey(paper)), Ok(Some(_))));
    assert!(!slot.is_whole(&keyring()));
}

/// A recovery key as somebody types it: what is taken is shown as something that is taken for the same key.
pub fn recovery_key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = text.parse::<RecoveryKey>() {
        let again: RecoveryKey = key.to_string().parse().expect("what we show");
        assert_eq!(again.secret(), key.secret());
    }
}

/// The front of a pack.
pub fn pack_header(bytes: &[u8]) {
    if let Ok(header) = PackHeader::parse(bytes) {
        let mut written = Vec::new();
        header.write(&mut written);
        assert_eq!(written.len(), header.length());
        assert!(bytes.starts_with(&written));
        // No key of ours opens what the fuzzer made up.
        let opened = PackOpener::new(&keyring(), &header);
        assert!(
            header.kind == Seal::Node || header.keys.is_empty() || !matches!(opened, Ok(Ok(_)))
        );
    }
}

/// The end of a pack: trailer, and a directory as it is inside of its seal.
pub fn pack_footer(bytes: &[u8]) {
    let at = bytes.len().saturating_sub(TRAILER_BYTES);
    if let Ok((offset, length)) = parse_trailer(&bytes[at..], bytes.len() as u64) {
        let end = usize::try_from(offset).expect("a pack is small") + length;
        assert_eq!(end, at);
    }
    if let Ok(frames) = parse_directory(bytes) {
        let mut written = Vec::new();
        write_directory(&frames, &mut written);
        assert_eq!(written, bytes);
    }
}

/// The open part of a frame.
pub fn frame(bytes: &[u8]) {
    for kind in [Seal::Data, Seal::Node] {
        if let Ok(header) = FrameHeader::parse(bytes, kind) {
            assert!(bytes.starts_with(&header.to_bytes()));
            assert!(header.raw_bytes as usize <= 16 * BLOCK_BYTES);
        }
    }
}

/// What a frame holds once its seal is open: whatever it is, it decodes to the size that was promised, or not at all.
pub fn frame_content(bytes: &[u8]) {
    let Some(content) = bytes.get(..bytes.len().min(BLOCK_BYTES)) else { return };
    let ids = [Id([3; 32])];
    let length = u32::try_from(content.len() + TAG_BYTES).expect("at most a block");
    let header = FrameHeader {
        codec: Codec::Zstd,
        parts: 1,
        key: 0,
        counter: 9,
        raw_bytes: u32::try_from(BLOCK).expect("a block is small"),
        sealed_bytes: length,
        meaning: frame_meaning(&ids),
    };
    let key = SealKey::new(&[7; 32]);
    let mut sealed = header.to_bytes().to_vec();
    sealed.resize(FRAME_HEADER_BYTES + content.len() + TAG_BYTES, 0);
    let associated = header.associated(&[1; 16], Seal::Data, 0);
    key.seal(9, &associated, content, &mut sealed[FRAME_HEADER_BYTES..]).expect("it fits");
    let opener = PackOpener::of_writer([1; 16], Seal::Data, 0, key);
    let mut decoder = Decoder::new().expect("a decompressor");
    let mut out = vec![0; BLOCK_BYTES];
    let decoded = decoder.decode(&opener, &sealed, Some(&ids), &mut out);
    assert!(decoded.is_err() || out.len() == BLOCK_BYTES);
}

/// An index segment.
pub fn segment(bytes: &[u8]) {
    if let Ok(segment) = Segment::parse(bytes) {
        let mut written = Segment::write(segment.origin, &segment.packs);
        if let Some(voucher) = &segment.voucher {
            voucher.write(&mut written);
        }
        assert_eq!(written, bytes);
    }
}

/// A node of a block map.
pub fn node(bytes: &[u8]) {
    if let Ok(node) = Node::parse(bytes) {
        assert_eq!(node.to_bytes(), bytes);
        assert_eq!(node.is_empty(), node.children().next().is_none());
    }
}

/// A sealed record: nobody without the key makes one.
pub fn sealed_record(bytes: &[u8]) {
    for kind in [RecordKind::Segment, RecordKind::Decision, RecordKind::Condemned] {
        assert!(open_record(&keyring(), &[1; 16], kind, "rp/x", bytes).is_err());
    }
}

/// The decision about a point: the manifest of points is made of these.
pub fn decision(bytes: &[u8]) {
    reads_back::<DecisionRecord>(bytes);
}

/// An intent.
pub fn intent(bytes: &[u8]) {
    reads_back::<PendingRecord>(bytes);
}

/// A list of condemned or deleted packs.
pub fn pack_list(bytes: &[u8]) {
    reads_back::<PackListRecord>(bytes);
}

/// The mark of a deletion.
pub fn deletion(bytes: &[u8]) {
    reads_back::<DeletionRecord>(bytes);
}

/// A receipt of a commit.
pub fn receipt(bytes: &[u8]) {
    reads_back::<ReceiptRecord>(bytes);
}

/// The hint that a writer is at work.
pub fn active(bytes: &[u8]) {
    reads_back::<ActiveRecord>(bytes);
}

/// A map of what changed, as another program writes it: the blocks that are read cover it, within the disk, in order.
pub fn changed_map(bytes: &[u8]) {
    #[derive(serde::Deserialize)]
    struct Change {
        offset: u64,
        length: u64,
    }
    let Some((size, text)) = bytes.split_first_chunk::<8>() else { return };
    let size = u64::from_le_bytes(*size) % DISK_BYTES_MAX;
    let Ok(changes) = serde_json::from_slice::<Vec<Change>>(text) else { return };
    let changed: Vec<Extent> = changes
        .iter()
        .map(|change| Extent { offset: change.offset, length: change.length })
        .collect();
    let aligned = align(&changed, size);
    for pair in aligned.windows(2) {
        assert!(pair[0].end() < pair[1].offset, "sorted and apart");
    }
    for extent in &aligned {
        assert!(extent.length > 0 && extent.end() <= size && extent.offset.is_multiple_of(BLOCK));
        assert!(extent.end().is_multiple_of(BLOCK) || extent.end() == size);
    }
    let covers = |at: u64| aligned.iter().any(|extent| (extent.offset..extent.end()).contains(&at));
    for change in changed.iter().filter(|change| change.length > 0 && change.offset < size) {
        assert!(covers(change.offset) && covers(change.end().min(size) - 1));
    }
}

/// The key of an object.
pub fn object_key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let good = check_key(text).is_ok();
    let _ = check_prefix(text);
    if let Some(pack) = PackId::of_object(text) {
        assert!(good && pack.object() == text);
    }
    for folder in ["rp/", "rp-seen/", "rp-deleted/"] {
        if let Some(point) = crate::points::point_of(text, folder) {
            assert!(point != Uuid::nil() || text.ends_with('0'));
        }
    }
}

fn reads_back<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&record).expect("a record serialises");
        assert_eq!(serde_json::from_slice::<T>(&written).expect("what we write"), record);
    }
}

const PAPER: &str = include_str!("../tests/samples/v1/paper-key.txt");

fn keyring() -> Keyring {
    static KEYRING: std::sync::OnceLock<Keyring> = std::sync::OnceLock::new();
    // The same in every run, and without the system's randomness, which a busy machine may make wait for longer than the
    // fuzzer believes in.
    let make = || {
        let [identity, meta, secret] = [11u8, 12, 13].map(|byte| format!("{byte:02x}").repeat(32));
        let text = format!(
            r#"{{"identity":"{identity}","meta":"{meta}","data":[{{"number":1,"public":"{meta}","secret":"{secret}"}}],
                "capabilities":["put","read"]}}"#
        );
        serde_json::from_str(&text).expect("a keyring")
    };
    KEYRING.get_or_init(make).clone()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What the fuzzer collected: a find stays found.
    #[test]
    fn every_parser_withstands_what_was_found() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for (target, entry) in super::ENTRIES {
            let folder = corpus.join(target);
            let mut files = 0;
            for file in std::fs::read_dir(&folder).unwrap() {
                entry(&std::fs::read(file.unwrap().path()).unwrap());
                files += 1;
            }
            assert!(files > 0, "{} is empty", folder.display());
        }
    }
}
