//! One contract for every store. Also run by `crates/buckets` over those that are reached over HTTP.

use std::thread;

use coffre_vault::AlignedBuffer;
use coffre_vault::bucket::{Bucket, BucketError, Created};

/// Keys that no store takes.
const BAD_KEYS: [&str; 6] = ["", "../x", "a//b", "A", ".x", "a/../b"];

/// What every store must keep. It must be empty.
pub(crate) fn contract(bucket: &dyn Bucket) {
    assert_eq!(bucket.list("").unwrap(), []);
    assert!(matches!(bucket.get("a/b"), Err(BucketError::NotFound { .. })));
    assert!(matches!(bucket.get_range("a/b", 0, 1), Err(BucketError::NotFound { .. })));
    assert_eq!(bucket.size("a/b").unwrap(), None);
    bucket.delete("a/b").unwrap();

    assert_eq!(bucket.create("a/b", b"hello").unwrap(), Created::New);
    assert_eq!(bucket.create("a/b", b"other").unwrap(), Created::Exists);
    assert_eq!(bucket.get("a/b").unwrap(), b"hello");
    assert_eq!(bucket.get_range("a/b", 1, 3).unwrap(), b"ell");
    assert_eq!(bucket.get_range("a/b", 5, 0).unwrap(), b"");
    for (offset, length) in [(0, 6), (5, 1), (u64::MAX, 1), (u64::MAX, usize::MAX)] {
        assert!(matches!(
            bucket.get_range("a/b", offset, length),
            Err(BucketError::OutOfRange { .. })
        ));
    }
    assert_eq!(bucket.size("a/b").unwrap(), Some(5));
    assert_eq!(bucket.create("a/empty", b"").unwrap(), Created::New);
    assert_eq!(bucket.get("a/empty").unwrap(), b"");

    reads_into_memory(bucket);

    for key in ["ab/c", "a/c/d", "z"] {
        bucket.create(key, key.as_bytes()).unwrap();
    }
    let keys = |prefix| {
        bucket
            .list(prefix)
            .unwrap()
            .into_iter()
            .map(|object| (object.key, object.size))
            .collect::<Vec<_>>()
    };
    let all = [("a/b", 5), ("a/c/d", 5), ("a/empty", 0), ("ab/c", 4), ("z", 1)];
    assert_eq!(keys(""), all.map(|(key, size)| (key.to_owned(), size)));
    assert_eq!(keys("a/").len(), 3);
    assert_eq!(keys("a/c/"), [("a/c/d".to_owned(), 5)]);
    assert_eq!(keys("nothing/"), []);

    for bad in BAD_KEYS {
        assert!(matches!(bucket.create(bad, b""), Err(BucketError::InvalidKey { .. })), "{bad}");
        assert!(matches!(bucket.get(bad), Err(BucketError::InvalidKey { .. })), "{bad}");
        assert!(matches!(bucket.delete(bad), Err(BucketError::InvalidKey { .. })), "{bad}");
    }
    assert!(matches!(bucket.list("a"), Err(BucketError::InvalidKey { .. })));

    bucket.delete("a/b").unwrap();
    assert!(matches!(bucket.get("a/b"), Err(BucketError::NotFound { .. })));
    assert_eq!(bucket.create("a/b", b"again").unwrap(), Created::New);

    one_creator_wins(bucket);
}

/// Of many who create at once exactly one wins, and its bytes are there whole.
fn one_creator_wins(bucket: &dyn Bucket) {
    for round in 0..20 {
        let key = format!("race/{round}");
        let wins: Vec<usize> = thread::scope(|scope| {
            let contenders: Vec<_> = (0..8usize)
                .map(|n| {
                    let key = &key;
                    scope.spawn(move || {
                        (bucket.create(key, &vec![n as u8; 10_000]).unwrap() == Created::New)
                            .then_some(n)
                    })
                })
                .collect();
            contenders.into_iter().filter_map(|contender| contender.join().unwrap()).collect()
        });
        assert_eq!(wins.len(), 1);
        assert_eq!(bucket.get(&key).unwrap(), vec![wins[0] as u8; 10_000]);
    }
}

/// Into memory that held something else, and past every cache, the same is read.
fn reads_into_memory(bucket: &dyn Bucket) {
    let mut room = AlignedBuffer::new(0);
    let large: Vec<u8> = (0..3_000_001u32).map(|at| (at % 251) as u8).collect();
    assert_eq!(bucket.create("large", &large).unwrap(), Created::New);
    for (key, wanted) in [("large", &large[..]), ("a/b", b"hello"), ("a/empty", b"")] {
        assert!(bucket.get_into(key, &mut room).unwrap() == wanted, "{key}");
        assert!(bucket.get_stored(key, &mut room).unwrap() == wanted, "{key}");
        for start in [0, 1, 4097, 1 << 20, wanted.len() / 2, wanted.len()] {
            let part = wanted.get(start..).unwrap_or_default();
            let part = &part[..part.len().min(1_500_000)];
            let start = start.min(wanted.len()) as u64;
            let read = bucket.get_range_into(key, start, part.len(), &mut room).unwrap();
            assert!(read == part, "{} bytes of {key} from {start}", part.len());
        }
    }
    for (offset, length) in [(0, 6), (5, 1), (u64::MAX, 1), (u64::MAX, usize::MAX)] {
        let refused = bucket.get_range_into("a/b", offset, length, &mut room);
        assert!(matches!(refused, Err(BucketError::OutOfRange { .. })), "{offset} {length}");
    }
    let absent = bucket.get_range_into("a/c", 0, 1, &mut room);
    assert!(matches!(absent, Err(BucketError::NotFound { .. })));
    for read in [<dyn Bucket>::get_into, <dyn Bucket>::get_stored] {
        assert!(matches!(read(bucket, "a/c", &mut room), Err(BucketError::NotFound { .. })));
        for bad in BAD_KEYS {
            let refused = read(bucket, bad, &mut room);
            assert!(matches!(refused, Err(BucketError::InvalidKey { .. })), "{bad}");
        }
    }
    for bad in BAD_KEYS {
        let refused = bucket.get_range_into(bad, 0, 1, &mut room);
        assert!(matches!(refused, Err(BucketError::InvalidKey { .. })), "{bad}");
    }
    bucket.delete("large").unwrap();
}
