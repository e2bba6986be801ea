//! How long a machine stood still for its recovery points.

use crate::model::RecoveryPoint;

/// How long a machine stood still, over several recovery points, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreezeWindows {
    /// Recovery points that were taken of a frozen machine.
    pub count: u64,
    /// Half of the windows are not longer.
    pub median_ms: u64,
    /// 99 of 100 windows are not longer.
    pub p99_ms: u64,
    /// No window is longer.
    pub longest_ms: u64,
}

impl FreezeWindows {
    /// Over all these points; none when the machine was frozen for none of them.
    pub fn of<'a>(points: impl IntoIterator<Item = &'a RecoveryPoint>) -> Option<FreezeWindows> {
        Self::over(points.into_iter().filter_map(|point| point.stats.freeze_ms).collect())
    }

    fn over(mut windows: Vec<u64>) -> Option<FreezeWindows> {
        windows.sort_unstable();
        let longest_ms = *windows.last()?;
        // The smallest window that so many of a hundred do not exceed.
        let share = |hundredths: usize| windows[(windows.len() * hundredths).div_ceil(100) - 1];
        let count = windows.len() as u64;
        Some(FreezeWindows { count, median_ms: share(50), p99_ms: share(99), longest_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_windows_that_were() {
        assert_eq!(FreezeWindows::over(Vec::new()), None);
        let windows = |of: std::ops::RangeInclusive<u64>| FreezeWindows::over(of.rev().collect());
        let expected = |count, median_ms, p99_ms, longest_ms| {
            Some(FreezeWindows { count, median_ms, p99_ms, longest_ms })
        };
        assert_eq!(windows(7..=7), expected(1, 7, 7, 7));
        assert_eq!(windows(1..=4), expected(4, 2, 4, 4));
        assert_eq!(windows(1..=100), expected(100, 50, 99, 100));
        assert_eq!(windows(1..=1000), expected(1000, 500, 990, 1000));
    }
}
