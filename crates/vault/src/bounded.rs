//! A cache that forgets.

use std::collections::HashMap;

/// A cache of two generations: what was not asked for while the younger one filled up is forgotten. Few lines, bounded,
/// and what is in use stays.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// Of one generation.
    limit: usize,
}

impl<K: std::hash::Hash + Eq + Clone, V: Clone> Bounded<K, V> {
    /// Keeps at most so many entries.
    pub(crate) fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), limit: limit.div_ceil(2) }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.limit {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_cache_keeps_what_is_in_use() {
        let mut cache = Bounded::new(8);
        for n in 0..1000 {
            cache.insert(n, n);
            assert_eq!(cache.get(&0), Some(0), "asked for all the time");
            assert!(cache.young.len() + cache.old.len() <= 9);
        }
        assert_eq!((cache.get(&999), cache.get(&500)), (Some(999), None));
    }
}
