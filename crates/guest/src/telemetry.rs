//! Measurements and facts that travel with a report.

use serde::Serialize;

/// Measurements and facts, in the order they were found.
#[derive(Debug, Clone, Default)]
pub struct Telemetry(Vec<Fact>);

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Fact {
    value: String,
    key: String,
}

impl Telemetry {
    /// Sets a fact; one of the same name keeps its place.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        let value = value.into();
        match self.0.iter_mut().find(|fact| fact.key == key) {
            Some(fact) => fact.value = value,
            None => self.0.push(Fact { value, key: key.to_owned() }),
        }
    }

    pub(crate) fn facts(&self) -> &[Fact] {
        &self.0
    }

    /// A fact.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|fact| fact.key == key).map(|fact| fact.value.as_str())
    }
}
