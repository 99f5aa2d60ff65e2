//! Keeps the writer in the background: how much it writes at a time, and how long it rests after that.

use std::time::Duration;

/// At most one part in this many of the time is spent on writing, so that verifications have the processors and the disk for the
/// rest, whatever the load. What cannot be written that fast waits; meanwhile all uses of one secret merge into one.
const SHARE: u32 = 10;

/// How long a portion may take. Where the database has one writer at a time, changes wait for it.
const LONG: Duration = Duration::from_millis(20);

/// Sizes of a portion. It grows and shrinks by a quarter to approach the time that it may take, because the commit costs the same
/// for few rows as for many.
const SMALLEST: usize = 64;
const FIRST: usize = 256;
const LARGEST: usize = 4_096;

/// All instants are uptimes.
#[derive(Debug)]
pub(super) struct DutyCycle {
    portion: usize,
    longest: Duration,
    /// When the rest is over.
    rested: Duration,
}

impl DutyCycle {
    pub(super) fn new() -> Self {
        Self { portion: FIRST, longest: LONG, rested: Duration::ZERO }
    }

    /// How many rows to write in one transaction.
    pub(super) fn portion(&self) -> usize {
        self.portion
    }

    /// How long to rest from `now` on.
    pub(super) fn rest(&self, now: Duration) -> Duration {
        self.rested.saturating_sub(now)
    }

    /// Adapts the next portion to one of `number` rows that took this `time`.
    pub(super) fn took(&mut self, number: usize, time: Duration) {
        if time > self.longest {
            self.portion = SMALLEST.max(self.portion - self.portion / 4);
        } else if number >= self.portion && time < self.longest / 5 * 4 {
            self.portion = LARGEST.min(self.portion + self.portion / 4);
        }
    }

    /// Begins the rest after a write from `start` to `end`.
    pub(super) fn rest_from(&mut self, start: Duration, end: Duration) {
        self.rested = end + end.saturating_sub(start) * (SHARE - 1);
    }

    /// Rests until this `time`.
    pub(super) fn rest_until(&mut self, time: Duration) {
        self.rested = time;
    }

    /// Writes as fast as possible from now on: the process waits for it to end.
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
    fn the_writer_spends_a_tenth_of_the_time_writing() {
        let mut duty_cycle = DutyCycle::new();
        assert_eq!(duty_cycle.rest(millis(0)), millis(0));
        duty_cycle.rest_from(millis(1000), millis(1012));
        assert_eq!(duty_cycle.rest(millis(1012)), millis(108));
        assert_eq!(duty_cycle.rest(millis(1100)), millis(20));
        assert_eq!(duty_cycle.rest(millis(5000)), millis(0));
    }

    #[test]
    fn portions_grow_and_shrink_to_their_time_limit() {
        let mut duty_cycle = DutyCycle::new();
        duty_cycle.took(256, millis(16));
        duty_cycle.took(256, millis(20));
        assert_eq!(duty_cycle.portion(), 256);
        duty_cycle.took(256, millis(15));
        assert_eq!(duty_cycle.portion(), 320);
        duty_cycle.took(256, millis(0));
        assert_eq!(duty_cycle.portion(), 320, "a portion that is not full does not change the size");
        duty_cycle.took(3, millis(21));
        assert_eq!(duty_cycle.portion(), 240);
        for _ in 0..20 {
            duty_cycle.took(64, millis(500));
        }
        assert_eq!(duty_cycle.portion(), SMALLEST);
        for _ in 0..30 {
            duty_cycle.took(LARGEST, millis(1));
        }
        assert_eq!(duty_cycle.portion(), LARGEST);
    }

    #[test]
    fn at_the_end_portions_are_large() {
        let mut duty_cycle = DutyCycle::new();
        duty_cycle.hurry();
        duty_cycle.took(LARGEST, Duration::from_secs(1));
        assert_eq!(duty_cycle.portion(), LARGEST);
    }
}
