//! Parts of the policy editor: rows of ticks, the rule beside a field, the zones that are proposed,
//! the commands that do the same.

use askama::Template;
use askama::filters::HtmlSafe;
use coffre_control::model::{DayOfMonth, Vault, WeekOfMonth, Weekday};

use crate::az::AzCommand;
use crate::page::prelude::*;
use crate::policy::form::{OnForm, PolicyForm};
use crate::policy::json;
use crate::words;

/// A row of ticks that look like words.
#[derive(Template)]
#[template(
    source = r#"<span class="chips" role="group" aria-label="{{ label }}">{% for (value, text, on) in ticks %}<label class="chip"><input type="checkbox" name="{{ name }}" value="{{ value }}"{% if *on %} checked{% endif %}><span>{{ text }}</span></label>{% endfor %}</span>"#,
    ext = "html"
)]
pub(super) struct Ticks {
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) ticks: Vec<(String, String, bool)>,
}

impl HtmlSafe for Ticks {}

/// The days of a month, by weekday or by date.
#[derive(Template)]
#[template(path = "component/month_days.html")]
pub(super) struct OnTicks {
    view_week: String,
    view_date: String,
    label: String,
    name: &'static str,
    by_week: bool,
    weeks: Ticks,
    days: Ticks,
    dates: Ticks,
}

impl HtmlSafe for OnTicks {}

/// The rule of a field, beside it, when it is broken.
#[derive(Template)]
#[template(
    source = r#"{% if let Some(text) = text %}<span class="wrong" id="wrong-{{ word }}" role="alert">{{ text }}</span>{% endif %}"#,
    ext = "html"
)]
pub(super) struct Rule {
    pub(super) word: &'static str,
    pub(super) text: Option<String>,
}

impl HtmlSafe for Rule {}

/// Zones that the field proposes; every other name of Windows or IANA is understood too.
pub(super) const ZONES: &[&str] = &[
    "UTC",
    "Europe/London",
    "Europe/Lisbon",
    "Europe/Madrid",
    "Europe/Paris",
    "Europe/Berlin",
    "Europe/Zurich",
    "Europe/Rome",
    "Europe/Warsaw",
    "Europe/Helsinki",
    "Europe/Athens",
    "Europe/Istanbul",
    "Africa/Casablanca",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "America/St_Johns",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/Toronto",
    "America/Mexico_City",
    "America/Bogota",
    "America/Lima",
    "America/Santiago",
    "America/Argentina/Buenos_Aires",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Australia/Perth",
    "Australia/Sydney",
    "Pacific/Auckland",
    "Pacific Standard Time",
    "Central Standard Time",
    "Eastern Standard Time",
    "GMT Standard Time",
    "Romance Standard Time",
    "W. Europe Standard Time",
    "Central Europe Standard Time",
];

pub(super) fn tick(value: &str, text: String, on: bool) -> (String, String, bool) {
    (value.to_owned(), text, on)
}

pub(super) fn weekdays(view: &View, name: &'static str, chosen: &[Weekday]) -> Ticks {
    let day = |it: &Weekday| tick(it.azure(), view.t(words::weekday(*it)), chosen.contains(it));
    // The week begins on Monday for those who read a calendar in any of our languages.
    let ticks = Weekday::ALL[1..].iter().chain(&Weekday::ALL[..1]).map(day).collect();
    Ticks { name, label: view.t("weekdays"), ticks }
}

/// Names of the fields: how days are chosen, weeks, weekdays, dates.
pub(super) const MONTHLY: [&str; 4] =
    ["monthly_by", "monthly_week", "monthly_weekday", "monthly_date"];
pub(super) const YEARLY: [&str; 4] = ["yearly_by", "yearly_week", "yearly_weekday", "yearly_date"];

impl OnTicks {
    pub(super) fn new(
        view: &View,
        [by, week, weekday, date]: [&'static str; 4],
        on: &OnForm,
    ) -> Self {
        let weeks = WeekOfMonth::ALL
            .iter()
            .map(|it| tick(it.azure(), view.t(words::week(*it)), on.weeks.contains(it)));
        let dates = (1..=28).map(|it| (DayOfMonth::Date(it), it.to_string(), it.to_string()));
        let last = (DayOfMonth::Last, "last".to_owned(), view.t("day-last"));
        Self {
            view_week: view.t("by-weekday"),
            view_date: view.t("by-date"),
            label: view.t("days-of-month"),
            name: by,
            by_week: on.by_week,
            weeks: Ticks { name: week, label: view.t("weeks"), ticks: weeks.collect() },
            days: weekdays(view, weekday, &on.days),
            dates: Ticks {
                name: date,
                label: view.t("days-of-month"),
                ticks: dates
                    .chain([last])
                    .map(|(day, value, text)| (value, text, on.dates.contains(&day)))
                    .collect(),
            },
        }
    }
}

/// What does with `az` what the page does.
pub(super) fn commands(vault: &Vault, exists: bool, form: &PolicyForm) -> Vec<AzCommand> {
    let Ok(put) = form.to_put(None) else { return Vec::new() };
    let of_vault = |verbs| {
        AzCommand::new(verbs)
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name)
            .option("--name", if put.name.is_empty() { "NewPolicy" } else { &put.name })
    };
    let text = json::text(&put);
    if exists {
        vec![
            of_vault("backup policy show"),
            of_vault("backup policy set").option("--policy", &text),
            of_vault("backup policy delete"),
        ]
    } else {
        vec![
            of_vault("backup policy create")
                .option("--backup-management-type", "AzureIaasVM")
                .option("--policy", &text),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proposed_zone_is_known() {
        for zone in ZONES {
            assert!(coffre_control::schedule::find_zone(zone).is_ok(), "{zone}");
        }
    }
}
