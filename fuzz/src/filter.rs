//! Any text as a filter: the parser returns a filter or an error with a position in the text, and never panics.
#![no_main]

use keystile_domain::{
    filter::{Filter, FilterError},
    query::{account_filter, event_filter, key_filter},
};

libfuzzer_sys::fuzz_target!(|text: &str| {
    check(text, key_filter(text));
    check(text, account_filter(text));
    check(text, event_filter(text));
});

fn check<T>(text: &str, read: Result<Filter<T>, FilterError>) {
    if let Err(error) = read {
        assert!((1..=text.chars().count() + 1).contains(&error.position), "{error}");
    }
}
