//! Which keys an object may have: those that every store and every file system takes unchanged.

use super::BucketError;

/// The longest key in bytes.
pub const KEY_BYTES_MAX: usize = 200;

/// The most parts (between slashes) of a key.
const KEY_PARTS_MAX: usize = 5;

/// Checks a key: one to five parts between slashes, of `a-z 0-9 . _ -`, no part empty or starting with a dot.
///
/// # Errors
/// [`BucketError::InvalidKey`].
pub fn check_key(key: &str) -> Result<(), BucketError> {
    let good = !key.is_empty()
        && key.len() <= KEY_BYTES_MAX
        && key.split('/').count() <= KEY_PARTS_MAX
        && key.split('/').all(is_part);
    if good { Ok(()) } else { Err(BucketError::InvalidKey { key: key.to_owned() }) }
}

/// Checks a prefix of a listing: empty, or parts of a key each followed by a slash.
///
/// # Errors
/// [`BucketError::InvalidKey`].
pub fn check_prefix(prefix: &str) -> Result<(), BucketError> {
    match prefix.strip_suffix('/') {
        Some(folder) => check_key(folder),
        None if prefix.is_empty() => Ok(()),
        None => Err(BucketError::InvalidKey { key: prefix.to_owned() }),
    }
}

fn is_part(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_leave_the_folder_or_clash_are_refused() {
        for good in ["vault", "packs/ab/cd-ef", "a/b/c/d/e", "x.y_z"] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "a//b",
            "../x",
            "a/..",
            ".hidden",
            "a/.b",
            "A",
            "a b",
            "a/b/c/d/e/f",
            "ü",
            "a\0",
        ] {
            assert!(check_key(bad).is_err(), "{bad}");
        }
        assert!(check_key(&"a".repeat(KEY_BYTES_MAX + 1)).is_err());
        assert!(
            check_prefix("packs/").is_ok()
                && check_prefix("").is_ok()
                && check_prefix("packs").is_err()
        );
    }
}
