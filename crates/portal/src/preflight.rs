//! What is looked at before a machine is protected, and why a machine cannot be chosen: each with
//! what to do about it.

use askama::Template;
use askama::filters::HtmlSafe;
use coffre_control::model::{AgentState, PowerState, Region, Vault, Vm};

use crate::component::{Status, Tone, status};
use crate::inventory::region_label;
use crate::view::View;

/// The checks of one machine.
#[derive(Template)]
#[template(
    source = r#"<ul class="checks">{% for (status, advice) in checks %}<li>{{ status }}{% if let Some(advice) = advice %}<div class="muted small">{{ advice }}</div>{% endif %}</li>{% endfor %}</ul>"#,
    ext = "html"
)]
pub(crate) struct Preflight {
    checks: Vec<(Status, Option<String>)>,
}

impl HtmlSafe for Preflight {}

/// Looks at a machine.
pub(crate) fn preflight(view: &View, vm: &Vm) -> Preflight {
    let mut checks = Vec::new();
    let mut say = |tone, key: &'static str, advice: Option<String>| {
        checks.push((status(view, (tone, key)), advice));
    };
    if let Some((key, since)) = away(vm) {
        let since = view.time(since);
        let advice = view.t2(key, "hypervisor", &vm.hypervisor, "time", since.text());
        say(Tone::Bad, "check-away", Some(advice));
        return Preflight { checks };
    }
    say(Tone::Good, "check-here", None);
    match (vm.power, &vm.agent) {
        (PowerState::Stopped, _) => say(Tone::Good, "check-off", None),
        (_, AgentState::Ready { .. }) => say(Tone::Good, "check-agent", None),
        (_, AgentState::Silent) => {
            say(Tone::Warn, "agent-silent", Some(view.t("agent-silent-advice")));
        }
        (_, AgentState::NotConfigured) => {
            say(Tone::Warn, "agent-not-configured", Some(view.t("agent-not-configured-advice")));
        }
    }
    let size = vm.disks.iter().map(|disk| disk.size_bytes).sum();
    let disks = view.t2("check-disks", "count", vm.disks.len(), "size", &view.bytes(size));
    checks.push((Status { tone: Tone::Good, text: disks }, None));
    Preflight { checks }
}

fn away(vm: &Vm) -> Option<(&'static str, jiff::Timestamp)> {
    match (vm.missing_since, vm.unreachable_since) {
        (Some(since), _) => Some(("vm-missing-text", since)),
        (None, Some(since)) => Some(("vm-unreachable-text", since)),
        (None, None) => None,
    }
}

/// Why a vault cannot protect a machine, with what to do, in the reader's language; `other` is the
/// vault of which it is an item already. None when it can.
pub(crate) fn obstacle(
    view: &View,
    vault: &Vault,
    vm: &Vm,
    other: Option<&Vault>,
    regions: &[Region],
) -> Option<String> {
    if let Some((key, since)) = away(vm) {
        let since = view.time(since);
        return Some(view.t2(key, "hypervisor", &vm.hypervisor, "time", since.text()));
    }
    if vm.region != vault.region {
        let (there, here) =
            (region_label(regions, &vm.region), region_label(regions, &vault.region));
        return Some(view.t2("obstacle-region", "there", there, "here", here));
    }
    let other = other?;
    let key = if other.id == vault.id { "obstacle-this-vault" } else { "obstacle-other-vault" };
    Some(view.t1(key, "vault", &other.name))
}
