//! The names of the settings, and the nearest one to a misspelt name.

/// Names the file, so it can be set only in the environment.
pub(super) const CONFIG: &str = "KEYSTILE_CONFIG";

/// Variables with this prefix belong to the test suite and are ignored.
pub(super) const TEST_PREFIX: &str = "KEYSTILE_TEST_";

/// The settings, in the environment or in the file.
pub(super) const SETTINGS: [&str; 20] = [
    "KEYSTILE_DATA_DIR",
    "KEYSTILE_DATABASE_URL",
    "KEYSTILE_DATABASE_MAX_CONNECTIONS",
    "KEYSTILE_DATABASE_TIMEOUT",
    "KEYSTILE_VERIFY_LISTEN",
    "KEYSTILE_ADMIN_LISTEN",
    "KEYSTILE_METRICS_LISTEN",
    "KEYSTILE_INSECURE",
    "KEYSTILE_PEPPERS",
    "KEYSTILE_PEPPERS_FILE",
    "KEYSTILE_CACHE_CAPACITY",
    "KEYSTILE_CACHE_TTL",
    "KEYSTILE_CACHE_UNKNOWN_IDS",
    "KEYSTILE_CACHE_PRELOAD",
    "KEYSTILE_FEED_POLL",
    "KEYSTILE_MAX_STALENESS",
    "KEYSTILE_FAIL_OPEN",
    "KEYSTILE_DRAIN_DEADLINE",
    "KEYSTILE_LOG",
    "KEYSTILE_LOG_FORMAT",
];

/// Reserved settings without an effect so far. Ignoring them would start a server without what was asked for.
pub(super) const NOT_YET: [&str; 5] = [
    "KEYSTILE_REDIS_URL",
    "KEYSTILE_NATS_URL",
    "KEYSTILE_TLS_CERT",
    "KEYSTILE_TLS_KEY",
    "KEYSTILE_TLS_CLIENT_CA",
];

/// The setting, or setting to come, with this name.
pub(super) fn find(name: &str) -> Option<&'static str> {
    SETTINGS.into_iter().chain(NOT_YET).find(|known| *known == name)
}

/// The setting that `name` was probably meant to be.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let distances = SETTINGS.into_iter().chain([CONFIG]).map(|known| (distance(name, known), known));
    distances.filter(|(distance, _)| *distance <= 3).min().map(|(_, known)| known)
}

/// How many letters must be added, dropped or changed to turn `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.bytes().enumerate() {
            let substituted = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn finds_the_nearest_setting() {
        assert_eq!(nearest("KEYSTILE_DATABSE_URL"), Some("KEYSTILE_DATABASE_URL"));
        assert_eq!(nearest("KEYSTILE_LOGS"), Some("KEYSTILE_LOG"));
        assert_eq!(nearest("KEYSTILE_SOMETHING_ELSE"), None);
    }
}
