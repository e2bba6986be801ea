//! Names of time zones: Windows' and IANA's.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::windows::iana_of;

/// Rules of all zones, as they were when the program was built; the machine's own are not asked,
/// so that two services never disagree about a slot.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Names that are understood, for messages.
pub const ZONE_EXAMPLES: &str = "'UTC', 'Pacific Standard Time' or 'Europe/Paris'";

/// A name that no zone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone '{name}'")]
pub struct UnknownZone {
    /// The name.
    pub name: String,
}

/// The zone with a Windows name (`Romance Standard Time`) or an IANA name (`Europe/Paris`),
/// whatever the case.
pub fn find_zone(name: &str) -> Result<TimeZone, UnknownZone> {
    let wanted = name.trim();
    let wanted = iana_of(wanted).unwrap_or(wanted);
    ZONES.get(wanted).map_err(|_| UnknownZone { name: name.to_owned() })
}

/// The zone's standard offset in a year, for ever.
pub(super) fn standard_offset(zone: &TimeZone, year: i16) -> TimeZone {
    let at = |month| {
        let noon = date(year, month, 1).at(12, 0, 0, 0);
        zone.to_ambiguous_timestamp(noon).compatible().unwrap_or(Timestamp::UNIX_EPOCH)
    };
    // Summer time lies in one half of the year or the other; the standard is the smaller offset,
    // also in a zone that calls its winter time the exception.
    let offsets = [1, 4, 7, 10].map(|month| zone.to_offset(at(month)));
    let standard = offsets.into_iter().min().expect("four offsets have a smallest");
    TimeZone::fixed(standard)
}

#[cfg(test)]
mod tests {
    use super::super::windows::WINDOWS;
    use super::*;

    #[test]
    fn both_kinds_of_names_are_understood() {
        for name in ["UTC", "utc", "Pacific Standard Time", "pacific standard time", "Europe/Paris"]
        {
            find_zone(name).unwrap_or_else(|error| panic!("{error}"));
        }
        let refused = find_zone("Mars Standard Time").unwrap_err();
        assert_eq!(refused.to_string(), "there is no time zone 'Mars Standard Time'");
    }

    #[test]
    fn every_windows_name_leads_to_a_zone() {
        for (windows, iana) in WINDOWS {
            assert!(ZONES.get(iana).is_ok(), "{windows}: {iana}");
        }
        let mut names: Vec<&str> = WINDOWS.iter().map(|(windows, _)| *windows).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), WINDOWS.len(), "a name is there twice");
    }

    #[test]
    fn the_standard_offset_is_the_one_of_winter() {
        let offset = |name: &str| {
            let zone = standard_offset(&find_zone(name).unwrap(), 2026);
            zone.to_offset(Timestamp::UNIX_EPOCH).seconds() / 60
        };
        assert_eq!(offset("Europe/Paris"), 60);
        assert_eq!(offset("AUS Eastern Standard Time"), 600);
        assert_eq!(offset("Europe/Dublin"), 0);
        assert_eq!(offset("India Standard Time"), 330);
    }
}
