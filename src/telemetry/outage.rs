//! A failure that lasts: worth one log line when it begins, and one when it is over.

/// Counts consecutive failures.
#[derive(Debug, Default)]
pub struct Outage {
    failures: u64,
}

/// What an attempt changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The first failures.
    Began { failures: u64 },
    /// The first attempt without a failure; how many there were in all.
    Ended { failures: u64 },
}

impl Outage {
    /// Notes how many `failures` the latest attempt had, or whether it failed. Answers when that is worth a log line.
    pub fn note(&mut self, failures: impl Into<u64>) -> Option<Turn> {
        let (before, failures) = (self.failures, failures.into());
        self.failures = if failures == 0 { 0 } else { before.saturating_add(failures) };
        match (before, failures) {
            (0, 0) => None,
            (0, failures) => Some(Turn::Began { failures }),
            (failures, 0) => Some(Turn::Ended { failures }),
            _ => None,
        }
    }

    /// Whether the latest attempt failed.
    pub fn is_lasting(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_and_the_end_are_reported() {
        let mut outage = Outage::default();
        let turns = [0_u64, 3, 4, 5, 0, 0, 1].map(|failures| outage.note(failures));
        let began = |failures| Some(Turn::Began { failures });
        let ended = |failures| Some(Turn::Ended { failures });
        assert_eq!(turns, [None, began(3), None, None, ended(12), None, began(1)]);
        assert!(outage.is_lasting());
    }

    #[test]
    fn an_attempt_that_failed_is_one_failure() {
        let mut outage = Outage::default();
        let turns = [false, true, true, false].map(|failed| outage.note(failed));
        assert_eq!(turns, [None, Some(Turn::Began { failures: 1 }), None, Some(Turn::Ended { failures: 2 })]);
        assert!(!outage.is_lasting());
    }
}
