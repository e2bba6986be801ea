//! Request paths, parsed once into decoded segments.
//!
//! Resource Manager paths are case-insensitive, clients send empty segments (`//name`) and a
//! trailing slash, and container names arrive with `;` either raw or as `%3B`. All of that ends
//! here; later code sees segments. A decoded segment can never hold a slash, a control
//! character, or be a dot segment, so no name forges another path.

use percent_encoding::percent_decode_str;

/// Longest accepted raw path. The longest one a client builds (an operation of an item in
/// nested names of full length) stays below 1 KiB.
pub(crate) const PATH_BYTES_MAX: usize = 4096;
/// Most segments in a path; the deepest route has 17.
pub(crate) const SEGMENTS_MAX: usize = 32;
/// Longest decoded segment; a container name carries a group (90) and a VM name (64).
pub(crate) const SEGMENT_BYTES_MAX: usize = 512;

/// Why a path was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PathFault {
    /// The raw path is longer than [`PATH_BYTES_MAX`].
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// More than [`SEGMENTS_MAX`] segments.
    #[error("the path has more than {SEGMENTS_MAX} segments")]
    TooDeep,
    /// One segment decodes to more than [`SEGMENT_BYTES_MAX`] bytes.
    #[error("a segment of the path is longer than {SEGMENT_BYTES_MAX} bytes")]
    SegmentTooLong,
    /// A segment is not UTF-8, is a dot segment, or decodes to a character no name may hold.
    #[error("the path holds a character or a segment that no resource name may hold")]
    Forbidden,
}

/// The decoded segments of a path, empty ones left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segments(Vec<String>);

impl Segments {
    /// Parses the raw (still percent-encoded) path of a request.
    pub(crate) fn parse(raw: &str) -> Result<Segments, PathFault> {
        if raw.len() > PATH_BYTES_MAX {
            return Err(PathFault::TooLong);
        }
        let mut segments = Vec::new();
        for part in raw.split('/').filter(|part| !part.is_empty()) {
            if segments.len() == SEGMENTS_MAX {
                return Err(PathFault::TooDeep);
            }
            segments.push(decode(part)?);
        }
        Ok(Segments(segments))
    }

    /// The segments in order.
    pub(crate) fn as_slice(&self) -> &[String] {
        &self.0
    }
}

fn decode(part: &str) -> Result<String, PathFault> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| PathFault::Forbidden)?;
    if text.len() > SEGMENT_BYTES_MAX {
        return Err(PathFault::SegmentTooLong);
    }
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\' | '?' | '#' | '%');
    if text == "." || text == ".." || text.chars().any(forbidden) {
        return Err(PathFault::Forbidden);
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(raw: &str) -> Vec<String> {
        Segments::parse(raw).unwrap().as_slice().to_vec()
    }

    #[test]
    fn empty_segments_and_the_trailing_slash_vanish() {
        assert_eq!(parts("/a//b/"), ["a", "b"]);
        assert_eq!(parts("/"), Vec::<String>::new());
    }

    #[test]
    fn a_semicolon_is_the_same_raw_or_encoded() {
        assert_eq!(
            parts("/VM%3Biaasvmcontainerv2%3Brg%3Bvm"),
            parts("/VM;iaasvmcontainerv2;rg;vm")
        );
    }

    #[test]
    fn encoded_slashes_dots_and_controls_are_refused() {
        for raw in ["/a%2fb", "/a%5cb", "/..", "/%2e%2e/x", "/a%00", "/a%0d%0a", "/%ff", "/%2541"] {
            assert_eq!(Segments::parse(raw), Err(PathFault::Forbidden), "{raw}");
        }
    }

    #[test]
    fn length_and_depth_are_bounded() {
        assert_eq!(Segments::parse(&"/a".repeat(33)), Err(PathFault::TooDeep));
        assert_eq!(
            Segments::parse(&format!("/{}", "a".repeat(513))),
            Err(PathFault::SegmentTooLong)
        );
        assert_eq!(Segments::parse(&"/".repeat(4097)), Err(PathFault::TooLong));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_never_yields_a_forbidden_segment(raw in ".{0,300}") {
            if let Ok(segments) = Segments::parse(&raw) {
                for segment in segments.as_slice() {
                    prop_assert!(!segment.is_empty() && segment != "." && segment != "..");
                    prop_assert!(!segment.contains(['/', '\\', '\0', '\r', '\n']));
                }
            }
        }

        #[test]
        fn parsing_is_stable_under_extra_slashes(names in prop::collection::vec("[a-zA-Z0-9;_-]{1,20}", 0..10)) {
            let once = format!("/{}", names.join("/"));
            let twice = format!("//{}//", names.join("//"));
            prop_assert_eq!(Segments::parse(&once), Segments::parse(&twice));
        }
    }
}
