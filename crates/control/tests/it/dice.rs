//! Pseudo-random numbers (splitmix64): the same seed, the same life.

/// A source of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// From `least` to `most`.
    pub(crate) fn within(&mut self, least: i64, most: i64) -> i64 {
        let span = usize::try_from(most - least + 1).unwrap();
        least + i64::try_from(self.below(span)).unwrap()
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Some of them, at least one, in their order.
    pub(crate) fn some<T: Copy>(&mut self, from: &[T]) -> Vec<T> {
        let sure = self.below(from.len());
        let mut chosen = Vec::new();
        for (at, it) in from.iter().enumerate() {
            if at == sure || self.one_in(4) {
                chosen.push(*it);
            }
        }
        chosen
    }
}

/// How many cases to run: `default`, or what the variable says, times `COFFRE_CASES`.
pub(crate) fn cases(variable: &str, default: u64) -> u64 {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    number(variable).unwrap_or(default) * number("COFFRE_CASES").unwrap_or(1)
}
