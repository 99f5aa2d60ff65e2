//! Each rule of a setting, and the rules between settings.

use super::*;

#[test]
fn features_that_are_not_built_are_refused() {
    for name in known::NOT_YET {
        assert_eq!(fault(&[(name, "hunter2")]), format!("{name}: is not available yet: remove it"));
    }
}

#[test]
fn open_addresses_need_consent() {
    for (name, open) in [
        ("KEYSTILE_VERIFY_LISTEN", "0.0.0.0:50051"),
        ("KEYSTILE_ADMIN_LISTEN", "[2001:db8::1]:50052"),
        ("KEYSTILE_METRICS_LISTEN", "0.0.0.0:9464"),
    ] {
        assert_eq!(
            fault(&[(name, open)]),
            format!(
                "{name}: {open} is reachable from other machines, and TLS is not available yet: put a TLS proxy in \
                 front and set KEYSTILE_INSECURE=true, or listen on 127.0.0.1"
            )
        );
        assert!(load(&[(name, open), ("KEYSTILE_INSECURE", "true")]).is_ok());
    }
    for loopback in ["127.8.8.8:7", "[::1]:7", "[::ffff:127.0.0.1]:7", "127.0.0.1:0"] {
        assert!(load(&[("KEYSTILE_VERIFY_LISTEN", loopback)]).is_ok(), "{loopback}");
    }
}

#[test]
fn addresses_are_checked() {
    assert_eq!(
        fault(&[("KEYSTILE_VERIFY_LISTEN", "localhost:50051")]),
        "KEYSTILE_VERIFY_LISTEN: \"localhost:50051\" is not an IP address and port, such as 127.0.0.1:50051 or [::1]:50051"
    );
    assert_eq!(
        fault(&[("KEYSTILE_ADMIN_LISTEN", "127.0.0.1:50051")]),
        "KEYSTILE_ADMIN_LISTEN: 127.0.0.1:50051 is also the address in KEYSTILE_VERIFY_LISTEN: choose another port"
    );
    assert_eq!(
        fault(&[("KEYSTILE_ADMIN_LISTEN", "127.0.0.1:9464")]),
        "KEYSTILE_METRICS_LISTEN: 127.0.0.1:9464 is also the address in KEYSTILE_ADMIN_LISTEN: choose another port"
    );
    assert!(
        load(&[("KEYSTILE_VERIFY_LISTEN", "127.0.0.1:0"), ("KEYSTILE_ADMIN_LISTEN", "127.0.0.1:0")]).is_ok()
    );
}

#[test]
fn numbers_and_durations_keep_to_their_ranges() {
    for (name, value, message) in [
        ("KEYSTILE_DATABASE_MAX_CONNECTIONS", "3", "\"3\" is not a whole number from 4 to 1000"),
        ("KEYSTILE_DATABASE_TIMEOUT", "0s", "\"0s\" is not between 1ms and 600s"),
        ("KEYSTILE_DRAIN_DEADLINE", "2h", "\"2h\" is not between 0s and 3600s"),
    ] {
        assert_eq!(fault(&[(name, value)]), format!("{name}: {message}"));
    }
}

#[test]
fn the_feed_poll_is_shorter_than_the_bound_on_staleness() {
    assert_eq!(
        fault(&[("KEYSTILE_FEED_POLL", "2s"), ("KEYSTILE_MAX_STALENESS", "1999ms")]),
        "KEYSTILE_FEED_POLL: 2s is longer than KEYSTILE_MAX_STALENESS, 1999ms: the cache would be too stale before the next \
         poll; decrease this one or increase that one"
    );
    assert!(fault(&[("KEYSTILE_MAX_STALENESS", "99ms")]).starts_with("KEYSTILE_FEED_POLL: 100ms is longer"));
    assert!(load(&[("KEYSTILE_FEED_POLL", "2s"), ("KEYSTILE_MAX_STALENESS", "2s")]).is_ok());
    assert!(load(&[("KEYSTILE_MAX_STALENESS", "0s")]).is_ok(), "0 means that stale entries are never served");
}

#[test]
fn a_database_address_is_checked() {
    let fault = fault(&[("KEYSTILE_DATABASE_URL", "oracle://ann:hunter2@db/keys")]);
    assert!(fault.starts_with("KEYSTILE_DATABASE_URL: must begin with sqlite://, postgres://"), "{fault}");
    let config = load(&[("KEYSTILE_DATABASE_URL", "sqlite:///var/k.db")]).expect("settings");
    assert_eq!(config.database.location, Database::Embedded { file: PathBuf::from("/var/k.db") });
    assert!(matches!(config.peppers, PepperSource::Generated { .. }));
}
