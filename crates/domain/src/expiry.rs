//! When a key expires, as a request says it.

use std::time::Duration;

use super::{
    Invalid,
    time::{DAY, Timestamp},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    Never,
    At(Timestamp),
    In(Duration),
}

impl Expiry {
    const FARTHEST: Duration = Duration::from_secs(3653 * DAY.as_secs());

    /// Whether it names `end`, which is `None` for never. A duration names none, because it depends on the time.
    pub fn is(self, end: Option<Timestamp>) -> bool {
        match self {
            Self::Never => end.is_none(),
            Self::At(time) => end == Some(time),
            Self::In(_) => false,
        }
    }

    /// The instant, which must be in the future, and at most ten years ahead.
    pub fn resolve(self, now: Timestamp) -> Result<Option<Timestamp>, Invalid> {
        let end = match self {
            Self::Never => return Ok(None),
            Self::At(end) => end,
            Self::In(span) => now.after(span),
        };
        if end <= now {
            return Err(Invalid::new("must be in the future"));
        }
        if end > now.after(Self::FARTHEST) {
            return Err(Invalid::new("must be at most ten years ahead"));
        }
        Ok(Some(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_in_the_future_and_within_ten_years() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        assert_eq!(Expiry::Never.resolve(now), Ok(None));
        assert_eq!(Expiry::In(DAY).resolve(now), Ok(Some(now.after(DAY))));
        assert!(Expiry::At(now).resolve(now).is_err());
        assert!(Expiry::In(Duration::ZERO).resolve(now).is_err());
        assert!(Expiry::In(4000 * DAY).resolve(now).is_err());
        assert!(Expiry::At(Timestamp::MAX).resolve(now).is_err());
    }

    #[test]
    fn the_latest_expiry_is_exactly_ten_years_ahead() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let (micro, ten_years) = (Duration::from_micros(1), 3653 * DAY);
        for (span, good) in
            [(Duration::ZERO, false), (micro, true), (ten_years, true), (ten_years + micro, false)]
        {
            let end = now.after(span);
            let expected = good.then_some(Some(end));
            assert_eq!(Expiry::In(span).resolve(now).ok(), expected, "in {span:?}");
            assert_eq!(Expiry::At(end).resolve(now).ok(), expected, "at {end}");
        }
    }

    #[test]
    fn an_expiry_is_a_time_or_never() {
        let [end, other] = [1, 2].map(Timestamp::from_micros);
        for (expiry, named, matches) in [
            (Expiry::Never, None, true),
            (Expiry::Never, Some(end), false),
            (Expiry::At(end), Some(end), true),
            (Expiry::At(end), Some(other), false),
            (Expiry::At(end), None, false),
            (Expiry::In(DAY), Some(end), false),
            (Expiry::In(DAY), None, false),
        ] {
            assert_eq!(expiry.is(named), matches, "{expiry:?} {named:?}");
        }
    }
}
