//! Any text as an API key: the parser returns a token that prints as the text, or an error, and never panics.
#![no_main]

use keystile_domain::token::{ApiKey, Token, issue, masked, unmask};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let api_key = ApiKey::new(text.to_owned());
    if let Ok(token) = Token::parse(&api_key) {
        let again = issue(token.token_prefix, token.id, &token.secret);
        assert_eq!(again.expose(), text, "one API key has one spelling");
        assert_eq!(unmask(&masked(token.token_prefix, token.id)), Ok(token.id));
    }
    let _ = unmask(text);
});
