//! How many points may go in a day: what a schedule makes may go, an avalanche may not.
//!
//! Whatever makes many points due at once (a clock that was wrong, a policy that somebody cut by
//! mistake, weeks without service), the points of an item go over days, oldest first, and people
//! have time to see it.

/// Points of an item that always may go in a day.
const ALWAYS: usize = 2;
/// Points of an item that may go in a day, in percent of all it has.
const PERCENT: usize = 10;

/// How many of an item's `points` may go in one day, when its schedule makes `per_day` of them.
/// Twice what is made, so that a backlog shrinks.
pub fn allowed(points: usize, per_day: u32) -> usize {
    let made = usize::try_from(per_day).unwrap_or(usize::MAX).saturating_mul(2);
    ALWAYS.max(made).max((points * PERCENT).div_ceil(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_never_takes_more_than_a_tenth_or_twice_what_it_makes() {
        assert_eq!(allowed(0, 1), 2);
        assert_eq!(allowed(31, 1), 4);
        assert_eq!(allowed(200, 1), 20);
        assert_eq!(allowed(19, 6), 12);
    }
}
