//! The parts that pages are built from. Each prints itself as HTML with everything in it escaped.

use askama::Template;
use askama::filters::HtmlSafe;
use coffre_control::model::JobError;
use coffre_control::{ErrorCode, Refusal};

use crate::az::AzCommand;
use crate::view::View;

/// What a colour and a shape stand for; the word beside them says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Look at it.
    Warn,
    /// Act.
    Bad,
    /// On its way.
    Info,
    /// Nothing happens here.
    Idle,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Info => "info",
            Self::Idle => "idle",
        }
    }
}

/// A status: shape, colour and word.
#[derive(Clone, Debug, Template)]
#[template(source = r#"<span class="status {{ tone.class() }}">{{ text }}</span>"#, ext = "html")]
pub struct Status {
    /// What shape and colour say.
    pub tone: Tone,
    /// The word.
    pub text: String,
}

impl HtmlSafe for Status {}

/// A status whose word is the text of a key.
pub fn status(view: &View, (tone, key): (Tone, &'static str)) -> Status {
    Status { tone, text: view.t(key) }
}

/// A message in a box.
#[derive(Debug, Template)]
#[template(
    source = r#"<div class="notice {{ tone.class() }}" role="{% if tone == Tone::Bad %}alert{% else %}status{% endif %}">
{%- if let Some(title) = title %}<p class="title">{{ title }}</p>{% endif %}
{%- for line in lines %}<p>{{ line }}</p>{% endfor -%}
{%- if let Some(code) = code %}<p class="small"><code>{{ code }}</code></p>{% endif -%}
</div>"#,
    ext = "html"
)]
pub struct Notice {
    tone: Tone,
    title: Option<String>,
    lines: Vec<String>,
    code: Option<&'static str>,
}

impl HtmlSafe for Notice {}

impl Notice {
    /// A sentence or more.
    pub fn new(tone: Tone, lines: impl IntoIterator<Item = String>) -> Self {
        Self { tone, title: None, lines: lines.into_iter().collect(), code: None }
    }

    /// The same under a heading.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The same with its code.
    #[must_use]
    pub fn coded(mut self, code: ErrorCode) -> Self {
        self.code = Some(code.azure());
        self
    }

    /// Why a job failed: what happened, what to do, and the code.
    pub fn job_error(view: &View, error: &JobError) -> Self {
        let (title, action) = view.error(error.code);
        // What the job's own error adds to the catalogue is kept.
        let action = if error.recommendation == error.code.recommendation() {
            action
        } else {
            view.say(&error.recommendation)
        };
        Self {
            tone: Tone::Bad,
            title: Some(title),
            lines: vec![view.say(&error.message), action],
            code: Some(error.code.azure()),
        }
    }

    /// A use-case's no: what is wrong, what to do, and the code.
    pub fn refusal(view: &View, refusal: &Refusal) -> Self {
        let (title, action) = view.error(refusal.code);
        Self {
            tone: Tone::Bad,
            title: Some(title),
            lines: vec![view.say(&refusal.message), action],
            code: Some(refusal.code.azure()),
        }
    }
}

/// The commands that do the same as the page, each with a button that copies it.
#[derive(Debug, Template)]
#[template(path = "component/az.html")]
pub struct AzLines<'a> {
    view: &'a View,
    commands: Vec<AzCommand>,
}

impl HtmlSafe for AzLines<'_> {}

/// The commands that do the same as the page.
pub fn az<'a>(view: &'a View, commands: impl IntoIterator<Item = AzCommand>) -> AzLines<'a> {
    AzLines { view, commands: commands.into_iter().collect() }
}

/// A list that has nothing to show, with the reason and the way on.
#[derive(Debug, Template)]
#[template(
    source = r#"<div class="empty">{{ icon }}<h2>{{ title }}</h2><p>{{ text }}</p>
{%- if let Some((address, label)) = way_on %}<a class="button primary" href="{{ address }}">{{ label }}</a>{% endif -%}
</div>"#,
    ext = "html"
)]
pub struct Empty {
    icon: Icon,
    title: String,
    text: String,
    way_on: Option<(String, String)>,
}

impl HtmlSafe for Empty {}

/// An empty list: heading and reason by key.
pub fn empty(view: &View, title: &str, text: &str) -> Empty {
    Empty { icon: Icon("none"), title: view.t(title), text: view.t(text), way_on: None }
}

impl Empty {
    /// The same with a button that leads on.
    #[must_use]
    pub fn leading_to(mut self, address: impl Into<String>, label: String) -> Self {
        self.way_on = Some((address.into(), label));
        self
    }
}

/// A picture beside a word; says nothing that the word does not.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    source = r##"<svg class="icon" aria-hidden="true" focusable="false"><use href="{{ crate::assets::ASSETS.icons }}#{{ self.0 }}"></use></svg>"##,
    ext = "html"
)]
pub struct Icon(pub &'static str);

impl HtmlSafe for Icon {}

/// Rows that a list shows at a time.
pub const PAGE_ROWS: usize = 100;

/// Which part of a list is shown, and the way to the others. Prints nothing when all is.
#[derive(Clone, Debug, Template)]
#[template(path = "component/pager.html")]
pub struct Pager<'a> {
    view: &'a View,
    /// Address of the list with everything but the page in it, ready for `page=…`.
    address: String,
    page: usize,
    pages: usize,
    rows: String,
}

impl HtmlSafe for Pager<'_> {}

impl<'a> Pager<'a> {
    /// For a list of `count` rows, at the page (counted from 1) that the reader asked for.
    pub fn new(view: &'a View, address: String, asked: &str, count: usize) -> Self {
        let pages = count.div_ceil(PAGE_ROWS).max(1);
        let page = asked.parse().unwrap_or(1).clamp(1, pages);
        let from = (page - 1) * PAGE_ROWS;
        Self {
            view,
            address,
            page,
            pages,
            rows: view.text(
                "page-rows",
                &[
                    ("from", (&view.number(from + 1)).into()),
                    ("to", (&view.number((from + PAGE_ROWS).min(count))).into()),
                    ("count", (&view.number(count)).into()),
                ],
            ),
        }
    }

    /// How many rows come before those that are shown.
    pub fn skipped(&self) -> usize {
        (self.page - 1) * PAGE_ROWS
    }
}
