//! Points in time, to the microsecond, which is what all three databases keep exactly.

use std::{fmt, str::FromStr, time::Duration};

use super::Invalid;

/// Microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Timestamp {
    /// 9999-12-31T23:59:59.999999Z, the last instant that a protobuf Timestamp can carry.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant `span` later, at most [`Self::MAX`].
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros)).min(Self::MAX)
    }

    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        jiff::Timestamp::from_str(text)
            .map(|instant| Self(instant.as_microsecond()))
            .map_err(|_| Invalid::new("must be an RFC 3339 time in quotes, such as \"2030-01-31T12:00:00Z\""))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => instant.fmt(f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339() {
        let time: Timestamp = "2030-01-31T12:00:00.000001Z".parse().unwrap();
        assert_eq!(time.to_string(), "2030-01-31T12:00:00.000001Z");
        assert!("tomorrow".parse::<Timestamp>().is_err());
    }

    #[test]
    fn times_stay_in_the_range_of_protobuf_timestamps() {
        assert_eq!(Timestamp::MAX.after(DAY), Timestamp::MAX);
        assert_eq!(Timestamp::from_micros(0).after(Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_day_has_86_400_seconds() {
        assert_eq!(DAY, Duration::from_secs(86_400));
    }

    #[test]
    fn a_timestamp_counts_microseconds_from_the_epoch() {
        let time: Timestamp = "1970-01-01T00:00:01.5Z".parse().unwrap();
        assert_eq!((time.as_micros(), time.as_millis()), (1_500_000, 1_500));
        assert_eq!(Timestamp::from_micros(-1).as_millis(), -1, "rounded down");
        let second = Duration::from_secs(1);
        assert_eq!(time.after(second), Timestamp::from_micros(2_500_000));
        assert_eq!(time.before(second), Timestamp::from_micros(500_000));
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), format!("{}us", i64::MAX));
    }
}
