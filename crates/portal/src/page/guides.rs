//! The guides: *First look* and *VM snapshot extension*, in the language of the reader.

use askama::Template;

use crate::assets::guide_picture;
use crate::i18n::Lang;
use crate::page::prelude::*;

#[derive(Template)]
#[template(path = "guides.html")]
struct Guides<'a> {
    view: &'a View,
    section: &'static str,
}

#[derive(Template)]
#[template(path = "guide/first_look.html")]
struct FirstLook<'a> {
    view: &'a View,
    section: &'static str,
}

#[derive(Template)]
#[template(path = "guide/extension.html")]
struct Extension<'a> {
    view: &'a View,
    section: &'static str,
}

/// A screen as it looks, with what it shows.
#[derive(Template)]
#[template(
    source = r#"{% if let Some(address) = address %}<figure><img src="{{ address }}" alt="{{ words }}" width="1280" height="800" loading="lazy"><figcaption>{{ words }}</figcaption></figure>{% endif %}"#,
    ext = "html"
)]
struct Figure<'a> {
    address: Option<&'a str>,
    words: &'a str,
}

impl askama::filters::HtmlSafe for Figure<'_> {}

impl FirstLook<'_> {
    fn figure<'b>(&self, state: &str, words: &'b str) -> Figure<'b> {
        Figure { address: guide_picture(self.view.lang, state), words }
    }
}

/// `GET /portal/guides`.
pub(crate) async fn show(view: View) -> Answer {
    html(&Guides { view: &view, section: "guides" })
}

/// `GET /portal/guides/first-look`.
pub(crate) async fn first_look(view: View) -> Answer {
    html(&FirstLook { view: &view, section: "guides" })
}

/// `GET /portal/guides/vm-snapshot`.
pub(crate) async fn extension(view: View) -> Answer {
    html(&Extension { view: &view, section: "guides" })
}
