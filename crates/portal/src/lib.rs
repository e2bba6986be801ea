//! HTML for people: pages, forms, three languages. Knows only `control`, and shows and does what
//! its use-cases do, so that nobody can do here what they cannot do by the API.
//!
//! Keeps four promises, each with a test: names and messages from anywhere are text, never markup;
//! a form counts only when a page of ours sent it; nothing on a page comes from another host and
//! nothing runs that is not in `static/portal.js`; every text is there in every language.
//!
//! * [`PortalState`], [`router`] – what the service gives, what it mounts
//! * [`view`], [`i18n`], [`mod@format`] – who looks, in which language, and how values are written
//! * [`component`], [`az`] – the parts that pages are built from

mod assets;
pub mod az;
mod chart;
pub mod component;
pub mod cookie;
pub mod form;
pub mod format;
mod guard;
mod half;
pub mod i18n;
mod inventory;
mod live;
mod page;
mod policy;
mod policy_text;
mod preflight;
pub mod provider;
mod router;
mod sentence;
pub mod session;
mod sort;
mod state;
mod table;
pub mod view;
mod words;

pub use router::router;
pub use state::{GuestLog, PortalState};
