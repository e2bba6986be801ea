//! The guides: *First look* and *VM snapshot extension*, in the language of the reader.

use askama::Template;

use crate::assets::guide_picture;
use crate::az::AzCommand;
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
    source = r#"{% if let Some(address) = address %}<figure><img src="{{ address }}" alt="{{ words }}" width="1280" height="900" loading="lazy"><figcaption>{{ words }}</figcaption></figure>{% endif %}"#,
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

impl Guides<'_> {
    /// What lists that which the guides are about.
    fn az(&self) -> AzLines<'_> {
        az(self.view, [AzCommand::new("backup vault list").option("--output", "table")])
    }
}

impl FirstLook<'_> {
    /// The second journey with names made up.
    fn az(&self) -> AzLines<'_> {
        let of = |verbs| AzCommand::new(verbs).option("--resource-group", "machines");
        let commands = [
            of("backup vault create").option("--name", "vault-1").option("--location", "local"),
            of("backup protection enable-for-vm")
                .option("--vault-name", "vault-1")
                .option("--vm", "web-01")
                .option("--policy-name", "DefaultPolicy"),
            of("backup protection backup-now")
                .option("--vault-name", "vault-1")
                .option("--container-name", "web-01")
                .option("--item-name", "web-01")
                .option("--backup-management-type", "AzureIaasVM"),
            of("backup job list").option("--vault-name", "vault-1").option("--output", "table"),
        ];
        az(self.view, commands)
    }
}

impl Extension<'_> {
    /// What shows the extension of a machine.
    fn az(&self) -> AzLines<'_> {
        let list = AzCommand::new("vm extension list").option("--resource-group", "machines");
        az(self.view, [list.option("--vm-name", "web-01").option("--output", "table")])
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
