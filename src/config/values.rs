//! Parsers of plain values; each error says what would be valid.

use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither `true` nor `false`"))
}

pub(super) fn integer(text: &str, range: RangeInclusive<u32>) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{text:?} is not a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn duration(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration = parse_duration(text).ok_or_else(|| {
        format!("{text:?} is not a duration: write a whole number and `ms`, `s`, `m` or `h`, such as 30s")
    })?;
    if range.contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("{text:?} is not between {} and {}", show(*range.start()), show(*range.end())))
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

pub(super) fn show(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_two_words() {
        assert_eq!(boolean("true"), Ok(true));
        assert_eq!(boolean("false"), Ok(false));
        for wrong in ["yes", "1", "TRUE", " true"] {
            assert_eq!(boolean(wrong), Err(format!("{wrong:?} is neither `true` nor `false`")));
        }
    }

    #[test]
    fn integers_keep_to_their_range() {
        assert_eq!(integer("2", 2..=1000), Ok(2));
        assert_eq!(integer("1000", 2..=1000), Ok(1000));
        for wrong in ["1", "1001", "-3", "3.5", "many", "99999999999"] {
            assert_eq!(
                integer(wrong, 2..=1000),
                Err(format!("{wrong:?} is not a whole number from 2 to 1000"))
            );
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse_duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(parse_duration("2h"), Some(Duration::from_secs(7200)));
        for wrong in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "30 s",
            "1d",
            "1m30s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_keep_to_their_range() {
        let range = || Duration::from_millis(1)..=Duration::from_secs(60);
        assert_eq!(duration("1ms", range()), Ok(Duration::from_millis(1)));
        assert_eq!(duration("0s", range()), Err(r#""0s" is not between 1ms and 60s"#.to_owned()));
        assert_eq!(duration("2m", range()), Err(r#""2m" is not between 1ms and 60s"#.to_owned()));
        assert!(duration("soon", range()).expect_err("no duration").contains("such as 30s"));
    }
}
