//! How much is written at a time, and how long nothing is written after it.

use std::time::Duration;

/// Of so many parts of the time, one at the most goes into writing. Whatever the load, verifications keep the processors and the
/// disk for the others; what cannot be written so fast waits, and many uses of a secret that waits are one.
const SHARE: u32 = 10;

/// How long a portion may take: a change waits for it where the database has one writer at a time.
const LONG: Duration = Duration::from_millis(20);

/// How many notes a portion has, and has at first: a quarter more or less than the one before, to come near what it may take, for
/// the end of a transaction costs the same however many there are.
const SMALLEST: usize = 64;
const FIRST: usize = 256;
const LARGEST: usize = 4_096;

/// Times are those of an uptime.
#[derive(Debug)]
pub(super) struct Pace {
    portion: usize,
    longest: Duration,
    rested: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { portion: FIRST, longest: LONG, rested: Duration::ZERO }
    }

    /// How many notes to write at once.
    pub(super) fn portion(&self) -> usize {
        self.portion
    }

    /// How long nothing is to be written.
    pub(super) fn rest(&self, now: Duration) -> Duration {
        self.rested.saturating_sub(now)
    }

    /// Learns from a portion of `number` notes.
    pub(super) fn took(&mut self, number: usize, time: Duration) {
        if time > self.longest {
            self.portion = SMALLEST.max(self.portion - self.portion / 4);
        } else if number >= self.portion && time < self.longest / 5 * 4 {
            self.portion = LARGEST.min(self.portion + self.portion / 4);
        }
    }

    /// Rests from what was written from `start` to `end`.
    pub(super) fn rest_from(&mut self, start: Duration, end: Duration) {
        self.rested = end + end.saturating_sub(start) * (SHARE - 1);
    }

    /// Rests until then.
    pub(super) fn rest_until(&mut self, time: Duration) {
        self.rested = time;
    }

    /// From now on nobody waits for anything but the end.
    pub(super) fn hurry(&mut self) {
        self.portion = LARGEST;
        self.longest = Duration::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_tenth_of_the_time_goes_into_writing() {
        let mut pace = Pace::new();
        assert_eq!(pace.rest(millis(0)), millis(0));
        pace.rest_from(millis(1000), millis(1012));
        assert_eq!(pace.rest(millis(1012)), millis(108));
        assert_eq!(pace.rest(millis(1100)), millis(20));
        assert_eq!(pace.rest(millis(5000)), millis(0));
    }

    #[test]
    fn a_portion_takes_as_long_as_it_may() {
        let mut pace = Pace::new();
        pace.took(256, millis(16));
        pace.took(256, millis(20));
        assert_eq!(pace.portion(), 256);
        pace.took(256, millis(15));
        assert_eq!(pace.portion(), 320);
        pace.took(256, millis(0));
        assert_eq!(pace.portion(), 320, "a portion that was not full tells nothing of one that is");
        pace.took(3, millis(21));
        assert_eq!(pace.portion(), 240);
        for _ in 0..20 {
            pace.took(64, millis(500));
        }
        assert_eq!(pace.portion(), SMALLEST);
        for _ in 0..30 {
            pace.took(LARGEST, millis(1));
        }
        assert_eq!(pace.portion(), LARGEST);
    }

    #[test]
    fn at_the_end_portions_are_large() {
        let mut pace = Pace::new();
        pace.hurry();
        pace.took(LARGEST, Duration::from_secs(1));
        assert_eq!(pace.portion(), LARGEST);
    }
}
