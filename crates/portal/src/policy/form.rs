//! The fields of the policy editor: from a policy, from a form, and to what the use-case takes.
//!
//! What cannot be read as a number or a time is named here; every other rule is the use-case's.

use coffre_control::model::{
    DailyRetention, DayOfMonth, DaylightSaving, DaysFormat, Month, MonthlyRetention, Policy,
    PolicyKind, Retention, Schedule, SnapshotConsistency, Tiering, WeekOfMonth, Weekday,
    WeeklyRetention, YearlyRetention,
};
use coffre_control::usecase::PutPolicy;
use jiff::civil::Time;

use super::wrong::Field;
use crate::form::{all, first, ticked};

/// How often backups run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Frequency {
    #[default]
    Daily,
    Weekly,
    Hourly,
}

impl Frequency {
    pub(crate) const ALL: [Self; 3] = [Self::Daily, Self::Weekly, Self::Hourly];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Hourly => "hourly",
        }
    }
}

/// How the days of a month are chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnForm {
    /// By weekday; else by date.
    pub(crate) by_week: bool,
    pub(crate) weeks: Vec<WeekOfMonth>,
    pub(crate) days: Vec<Weekday>,
    pub(crate) dates: Vec<DayOfMonth>,
}

/// What the editor shows and sends.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyForm {
    pub(crate) name: String,
    pub(crate) enhanced: bool,
    pub(crate) frequency: Frequency,
    /// Also the start of the window of an hourly schedule.
    pub(crate) time: String,
    pub(crate) run_days: Vec<Weekday>,
    pub(crate) interval: String,
    pub(crate) window: String,
    pub(crate) zone: String,
    pub(crate) fixed_offset: bool,
    pub(crate) instant: String,
    pub(crate) daily: String,
    /// A daily range below 7 days is meant.
    pub(crate) short: bool,
    pub(crate) weekly: bool,
    pub(crate) weeks: String,
    pub(crate) weekly_days: Vec<Weekday>,
    pub(crate) monthly: bool,
    pub(crate) months: String,
    pub(crate) monthly_on: OnForm,
    pub(crate) yearly: bool,
    pub(crate) years: String,
    pub(crate) yearly_in: Vec<Month>,
    pub(crate) yearly_on: OnForm,
    pub(crate) only_crash: bool,
    /// Where to go after it was saved; empty = to the vault.
    pub(crate) next: String,
}

impl PolicyForm {
    /// A policy as its fields. What it does not say has the values that most people want.
    pub(crate) fn of(policy: &Policy) -> Self {
        let mut form = Self {
            name: policy.name.clone(),
            enhanced: policy.kind == PolicyKind::Enhanced,
            time: "22:00".to_owned(),
            run_days: vec![Weekday::Sunday],
            interval: "4".to_owned(),
            window: "12".to_owned(),
            zone: policy.time_zone.clone(),
            fixed_offset: policy.daylight_saving == DaylightSaving::FixedOffset,
            instant: policy.instant_days.to_string(),
            short: policy.short_retention,
            only_crash: policy.consistency == SnapshotConsistency::OnlyCrash,
            ..Self::default()
        };
        match &policy.schedule {
            Schedule::Daily { time } => form.time = clock(*time),
            Schedule::Weekly { days, time } => {
                form.frequency = Frequency::Weekly;
                form.run_days.clone_from(days);
                form.time = clock(*time);
            }
            Schedule::Hourly { interval_hours, window_start, window_hours } => {
                form.frequency = Frequency::Hourly;
                form.interval = interval_hours.to_string();
                form.window = window_hours.to_string();
                form.time = clock(*window_start);
            }
        }
        form.take_retention(&policy.retention);
        form
    }

    fn take_retention(&mut self, retention: &Retention) {
        let sunday = || vec![Weekday::Sunday];
        let on_first_sunday = || OnForm {
            by_week: true,
            weeks: vec![WeekOfMonth::First],
            days: sunday(),
            dates: vec![DayOfMonth::Date(1)],
        };
        let Retention { daily, weekly, monthly, yearly } = retention;
        self.daily = daily.map_or(30, |it| it.days).to_string();
        self.weekly = weekly.is_some();
        self.weeks = weekly.as_ref().map_or(12, |it| it.weeks).to_string();
        self.weekly_days = weekly.as_ref().map_or_else(sunday, |it| it.days.clone());
        self.monthly = monthly.is_some();
        self.months = monthly.as_ref().map_or(12, |it| it.months).to_string();
        self.monthly_on = monthly.as_ref().map_or_else(on_first_sunday, |it| OnForm::of(&it.on));
        self.yearly = yearly.is_some();
        self.years = yearly.as_ref().map_or(5, |it| it.years).to_string();
        self.yearly_in =
            yearly.as_ref().map_or_else(|| vec![Month::January], |it| it.in_months.clone());
        self.yearly_on = yearly.as_ref().map_or_else(on_first_sunday, |it| OnForm::of(&it.on));
    }

    /// What a browser sent.
    pub(crate) fn read(fields: &[(String, String)]) -> Self {
        let text = |name| first(fields, name).to_owned();
        let frequency = first(fields, "frequency");
        Self {
            name: text("name"),
            enhanced: first(fields, "kind") == PolicyKind::Enhanced.azure(),
            frequency: Frequency::ALL
                .into_iter()
                .find(|it| it.word() == frequency)
                .unwrap_or_default(),
            time: text("time"),
            run_days: words(fields, "run_day", Weekday::from_azure),
            interval: text("interval"),
            window: text("window"),
            zone: text("zone"),
            fixed_offset: first(fields, "clocks") == DaylightSaving::FixedOffset.azure(),
            instant: text("instant"),
            daily: text("daily"),
            short: ticked(fields, "short"),
            weekly: ticked(fields, "weekly"),
            weeks: text("weeks"),
            weekly_days: words(fields, "weekly_day", Weekday::from_azure),
            monthly: ticked(fields, "monthly"),
            months: text("months"),
            monthly_on: OnForm::read(
                fields,
                ["monthly_by", "monthly_week", "monthly_weekday", "monthly_date"],
            ),
            yearly: ticked(fields, "yearly"),
            years: text("years"),
            yearly_in: words(fields, "yearly_month", Month::from_azure),
            yearly_on: OnForm::read(
                fields,
                ["yearly_by", "yearly_week", "yearly_weekday", "yearly_date"],
            ),
            only_crash: ticked(fields, "only_crash"),
            next: text("next"),
        }
    }

    /// What the use-case takes; `tiering` is kept as it was, since the form does not ask for it.
    pub(crate) fn to_put(&self, tiering: Option<Tiering>) -> Result<PutPolicy, Field> {
        Ok(PutPolicy {
            name: self.name.clone(),
            kind: if self.enhanced { PolicyKind::Enhanced } else { PolicyKind::Standard },
            schedule: self.schedule()?,
            retention: self.retention()?,
            instant_days: number(&self.instant, Field::Instant)?,
            time_zone: self.zone.clone(),
            tiering,
            consistency: if self.only_crash {
                SnapshotConsistency::OnlyCrash
            } else {
                SnapshotConsistency::Best
            },
            daylight_saving: if self.fixed_offset {
                DaylightSaving::FixedOffset
            } else {
                DaylightSaving::WallClock
            },
            short_retention: self.short,
        })
    }

    fn schedule(&self) -> Result<Schedule, Field> {
        let time = read_clock(&self.time).ok_or(Field::Time)?;
        Ok(match self.frequency {
            Frequency::Daily => Schedule::Daily { time },
            Frequency::Weekly => Schedule::Weekly { days: self.run_days.clone(), time },
            Frequency::Hourly => Schedule::Hourly {
                interval_hours: number(&self.interval, Field::Interval)?,
                window_start: time,
                window_hours: number(&self.window, Field::Window)?,
            },
        })
    }

    fn retention(&self) -> Result<Retention, Field> {
        let is_weekly = self.frequency == Frequency::Weekly;
        let daily = match is_weekly {
            true => None,
            false => Some(DailyRetention { days: number(&self.daily, Field::Daily)? }),
        };
        let weekly = match self.weekly {
            false => None,
            true => Some(WeeklyRetention {
                days: self.weekly_days.clone(),
                weeks: number(&self.weeks, Field::Weekly)?,
            }),
        };
        let monthly = match self.monthly {
            false => None,
            true => Some(MonthlyRetention {
                on: self.monthly_on.days(),
                months: number(&self.months, Field::Monthly)?,
            }),
        };
        let yearly = match self.yearly {
            false => None,
            true => Some(YearlyRetention {
                in_months: self.yearly_in.clone(),
                on: self.yearly_on.days(),
                years: number(&self.years, Field::Yearly)?,
            }),
        };
        Ok(Retention { daily, weekly, monthly, yearly })
    }
}

impl OnForm {
    fn of(on: &DaysFormat) -> Self {
        match on {
            DaysFormat::Daily { days } => Self {
                by_week: false,
                weeks: vec![WeekOfMonth::First],
                days: vec![Weekday::Sunday],
                dates: days.clone(),
            },
            DaysFormat::Weekly { days, weeks } => Self {
                by_week: true,
                weeks: weeks.clone(),
                days: days.clone(),
                dates: vec![DayOfMonth::Date(1)],
            },
        }
    }

    fn read(fields: &[(String, String)], [by, week, weekday, date]: [&'static str; 4]) -> Self {
        Self {
            by_week: first(fields, by) != "date",
            weeks: words(fields, week, WeekOfMonth::from_azure),
            days: words(fields, weekday, Weekday::from_azure),
            dates: words(fields, date, |word| match word {
                "last" => Some(DayOfMonth::Last),
                number => number.parse().ok().map(DayOfMonth::Date),
            }),
        }
    }

    fn days(&self) -> DaysFormat {
        if self.by_week {
            DaysFormat::Weekly { days: self.days.clone(), weeks: self.weeks.clone() }
        } else {
            DaysFormat::Daily { days: self.dates.clone() }
        }
    }
}

/// `22:30`.
pub(crate) fn clock(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

fn read_clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn number<T: std::str::FromStr>(text: &str, field: Field) -> Result<T, Field> {
    text.parse().map_err(|_| field)
}

fn words<T: PartialEq>(
    fields: &[(String, String)],
    name: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    all(fields, name).filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use coffre_control::id::VaultId;

    use super::*;

    fn policy() -> Policy {
        Policy {
            vault: VaultId(uuid::Uuid::nil()),
            name: "Gold".to_owned(),
            kind: PolicyKind::Enhanced,
            schedule: Schedule::Hourly {
                interval_hours: 6,
                window_start: Time::constant(7, 30, 0, 0),
                window_hours: 12,
            },
            retention: Retention {
                daily: Some(DailyRetention { days: 14 }),
                weekly: Some(WeeklyRetention { days: vec![Weekday::Friday], weeks: 8 }),
                monthly: Some(MonthlyRetention {
                    on: DaysFormat::Daily { days: vec![DayOfMonth::Date(15), DayOfMonth::Last] },
                    months: 24,
                }),
                yearly: Some(YearlyRetention {
                    in_months: vec![Month::March],
                    on: DaysFormat::Weekly {
                        days: vec![Weekday::Monday],
                        weeks: vec![WeekOfMonth::Last],
                    },
                    years: 7,
                }),
            },
            instant_days: 5,
            time_zone: "Europe/Madrid".to_owned(),
            tiering: None,
            consistency: SnapshotConsistency::OnlyCrash,
            daylight_saving: DaylightSaving::FixedOffset,
            short_retention: false,
            etag: 0,
        }
    }

    #[test]
    fn a_policy_comes_through_its_form_unchanged() {
        let policy = policy();
        let put = PolicyForm::of(&policy).to_put(policy.tiering).unwrap();
        assert_eq!(put.schedule, policy.schedule);
        assert_eq!(put.retention, policy.retention);
        assert_eq!(
            (put.kind, put.instant_days, put.consistency, put.daylight_saving),
            (policy.kind, 5, policy.consistency, policy.daylight_saving)
        );
        assert_eq!(put.time_zone, "Europe/Madrid");
    }

    #[test]
    fn what_is_no_number_names_its_field() {
        let mut form = PolicyForm::of(&policy());
        form.months = "a dozen".to_owned();
        assert_eq!(form.to_put(None).unwrap_err(), Field::Monthly);
        form.time = "midnight".to_owned();
        assert_eq!(form.to_put(None).unwrap_err(), Field::Time);
    }
}
