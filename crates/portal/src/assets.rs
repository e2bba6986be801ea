//! The static files and the pictures of the guides, compiled in. Their addresses carry a digest of their content, so that a
//! browser may keep them for ever and still never shows an old one.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::i18n::Lang;

struct Asset {
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const STYLE: Asset = Asset {
    stem: "portal",
    extension: "css",
    media_type: "text/css; charset=utf-8",
    content: include_str!("../static/portal.css"),
};
const SCRIPT: Asset = Asset {
    stem: "portal",
    extension: "js",
    media_type: "text/javascript; charset=utf-8",
    content: include_str!("../static/portal.js"),
};
const ICONS: Asset = Asset {
    stem: "icons",
    extension: "svg",
    media_type: "image/svg+xml",
    content: include_str!("../static/icons.svg"),
};
const FAVICON: Asset = Asset {
    stem: "favicon",
    extension: "svg",
    media_type: "image/svg+xml",
    content: include_str!("../static/favicon.svg"),
};

macro_rules! picture {
    ($lang:literal, $state:literal) => {
        ($lang, $state, include_bytes!(concat!("../static/guide/", $lang, "-", $state, ".webp")))
    };
}

/// Language, state, and the picture of a screen. The browser test takes them when
/// `COFFRE_GUIDE_PICTURES` names this folder, and fails when the words of a screen are no more
/// those of its picture (`labels.json`).
const PICTURES: &[(&str, &str, &[u8])] = &[
    picture!("en", "vm-menu-enable-backup"),
    picture!("en", "backup-item-view-update"),
    picture!("en", "vm-validated-click-enable"),
    picture!("en", "backup-policy-weekly"),
    picture!("en", "context-menu"),
    picture!("es", "vm-menu-enable-backup"),
    picture!("es", "backup-item-view-update"),
    picture!("es", "vm-validated-click-enable"),
    picture!("es", "backup-policy-weekly"),
    picture!("es", "context-menu"),
    picture!("fr", "vm-menu-enable-backup"),
    picture!("fr", "backup-item-view-update"),
    picture!("fr", "vm-validated-click-enable"),
    picture!("fr", "backup-policy-weekly"),
    picture!("fr", "context-menu"),
];

impl Asset {
    fn file_name(&self) -> String {
        format!("{}-{:016x}.{}", self.stem, fnv1a(self.content.as_bytes()), self.extension)
    }
}

/// FNV-1a of 64 bits: tells versions of our own files apart; protects nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Addresses of the static files.
pub(crate) struct Assets {
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icons: String,
    pub(crate) favicon: String,
}

/// The addresses, computed once.
pub(crate) static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let address = |asset: &Asset| format!("/portal/static/{}", asset.file_name());
    Assets {
        style: address(&STYLE),
        script: address(&SCRIPT),
        icons: address(&ICONS),
        favicon: address(&FAVICON),
    }
});

/// `GET /portal/static/{file}`.
pub(crate) async fn serve(Path(file): Path<String>) -> Response {
    for asset in [STYLE, SCRIPT, ICONS, FAVICON] {
        if file == asset.file_name() {
            let headers = [
                (CONTENT_TYPE, asset.media_type),
                (CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            return (headers, asset.content).into_response();
        }
    }
    let picture = PICTURES.iter().zip(PICTURE_ADDRESSES.iter());
    for ((_, _, content), address) in picture {
        if address.strip_prefix("/portal/static/") == Some(&*file) {
            let headers = [
                (CONTENT_TYPE, "image/webp"),
                (CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            return (headers, *content).into_response();
        }
    }
    StatusCode::NOT_FOUND.into_response()
}

/// The address of a screen's picture in a guide; none when there is no such picture.
pub(crate) fn guide_picture(lang: Lang, state: &str) -> Option<&'static str> {
    let at = PICTURES.iter().position(|(tag, name, _)| *tag == lang.tag() && *name == state)?;
    PICTURE_ADDRESSES.get(at).map(String::as_str)
}

/// Addresses of the pictures, in their order.
static PICTURE_ADDRESSES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let address = |(lang, state, content): &(&str, &str, &[u8])| {
        format!("/portal/static/guide-{lang}-{state}-{:016x}.webp", fnv1a(content))
    };
    PICTURES.iter().map(address).collect()
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_digest_is_fnv() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    /// The tokens (`--name: #rrggbb`) of the block that begins with `start`.
    fn tokens(start: &str) -> BTreeMap<&'static str, [f64; 3]> {
        let css = STYLE.content;
        let from = css.find(start).unwrap_or_else(|| panic!("no block {start}")) + start.len();
        let block = &css[from..from + css[from..].find('}').unwrap()];
        block
            .lines()
            .filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"))
            .map(|(name, hex)| {
                let part = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                (name, [part(0), part(2), part(4)].map(|it| f64::from(it) / 255.0))
            })
            .collect()
    }

    /// Contrast as WCAG 2 defines it: 1 to 21.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let light = |rgb: [f64; 3]| {
            let [r, g, b] =
                rgb.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (one, other) = (light(one), light(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_can_be_read_in_light_and_dark() {
        for theme in [":root {", ":root[data-theme=\"dark\"] {"] {
            let tokens = tokens(theme);
            let check = |front: &str, back: &str, least: f64| {
                let is = contrast(tokens[front], tokens[back]);
                assert!(is >= least, "{theme} {front} on {back}: {is:.2}");
            };
            for back in ["page", "surface", "sunken", "info-wash"] {
                for front in ["text", "muted", "accent", "accent-hover"] {
                    if (front, back) != ("muted", "info-wash") {
                        check(front, back, 4.5);
                    }
                }
            }
            for tone in ["good", "warn", "bad", "info", "idle"] {
                for back in ["surface", "page", &format!("{tone}-wash")] {
                    check(tone, back, 4.5);
                }
                check("text", &format!("{tone}-wash"), 4.5);
            }
            check("on-accent", "accent", 4.5);
            check("on-accent", "accent-hover", 4.5);
            check("on-bar", "bar", 4.5);
            // Parts of charts.
            for chart in ["chart-1", "chart-2", "chart-3", "chart-4"] {
                check(chart, "surface", 3.0);
            }
            // Borders of fields and buttons.
            check("line-strong", "surface", 3.0);
            check("line-strong", "page", 3.0);
        }
    }

    #[test]
    fn dark_by_choice_and_dark_by_system_are_the_same() {
        let chosen = tokens(":root[data-theme=\"dark\"] {");
        assert_eq!(chosen, tokens(":root:not([data-theme=\"light\"]) {"));
        let light: Vec<_> = tokens(":root {").into_keys().collect();
        assert_eq!(light, chosen.into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn colours_come_from_tokens_only() {
        let after_tokens = STYLE.content.split("/* Ground */").nth(1).unwrap();
        assert!(!after_tokens.contains(": #"), "a colour that is no token");
    }
}
