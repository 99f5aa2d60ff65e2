//! Free text from people: in Unicode Normalization Form C, bounded, without invisible characters and API keys.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{Invalid, id::read_string, token::holds_api_key};

read_string! {
    /// The display name of a project, service account or key; may be empty.
    DisplayName, text => written(text, 200)?
}
read_string! {
    /// Why a key was revoked; may be empty.
    Reason, text => written(text, 500)?
}
read_string! {
    /// What a role is for; may be empty.
    Description, text => written(text, 500)?
}
read_string! {
    /// The id of a service account in another system; may be empty.
    ExternalId, text => written(text, 128)?
}

/// Texts that may be empty, which is their default.
macro_rules! may_be_empty {
    ($($name:ident),*) => {$(
        impl $name {
            /// As it was stored: stricter rules for new texts must not make a row unreadable.
            pub fn from_stored(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self("".into())
            }
        }
    )*};
}
may_be_empty!(DisplayName, Reason, Description, ExternalId);

impl DisplayName {
    /// The words by which the name is found: in lower case, split at characters that are not letters or digits.
    pub fn words(&self) -> impl Iterator<Item = String> {
        words(self.as_str())
    }
}

/// The words of any text, as in [`DisplayName::words`].
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// `text` as it is stored, in normal form C; an error if it is invalid or longer than `most` characters.
pub(super) fn written(text: &str, most: usize) -> Result<Box<str>, Invalid> {
    let longer_than = |text: &str, most: usize| text.chars().nth(most).is_some();
    let too_long = || Invalid::new(format!("must be at most {most} characters"));
    without_api_key(text)?;
    // Normalization leaves at least a quarter of the characters: do not normalize a text that stays too long.
    if longer_than(text, 4 * most) {
        return Err(too_long());
    }
    without_unseen(text)?;
    let text = normal(text);
    if longer_than(&text, most) {
        return Err(too_long());
    }
    Ok(text.into())
}

/// `text` in normal form C, in which equivalent texts are equal.
pub(super) fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Rejects a text that contains an API key, because others will read it; the error does not repeat the API key.
pub(super) fn without_api_key(text: &str) -> Result<(), Invalid> {
    if holds_api_key(text) {
        return Err(Invalid::new("must not contain an API key: remove it, or use its masked form"));
    }
    Ok(())
}

/// Rejects control characters, and characters with which one text can look like another: they have no width, or change
/// the direction of the text.
fn without_unseen(text: &str) -> Result<(), Invalid> {
    let mut before = ' ';
    for (at, character) in text.chars().enumerate() {
        let kind = if character.is_control() {
            "control"
        } else if is_unseen(character) && !is_style_of(character, before) {
            "invisible"
        } else {
            before = character;
            continue;
        };
        let (code, at) = (u32::from(character), at + 1);
        return Err(Invalid::new(format!(
            "must not contain {kind} characters: character {at} is U+{code:04X}"
        )));
    }
    Ok(())
}

/// Unicode's Default_Ignorable_Code_Point, line and paragraph separators, and interlinear annotations.
fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// After a symbol, variation selectors 15 and 16 choose between text and emoji, which is visible.
fn is_style_of(character: char, before: char) -> bool {
    // ℹ Ⓜ 🅰 🅱 🅾 🅿 are emoji that count as letters.
    let letter =
        matches!(before, '\u{2139}' | '\u{24c2}' | '\u{1f170}' | '\u{1f171}' | '\u{1f17e}' | '\u{1f17f}');
    let symbol = !before.is_ascii() && !before.is_alphanumeric();
    matches!(character, '\u{fe0e}' | '\u{fe0f}') && (symbol || letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_printable() {
        assert!("Grüße, 世界".parse::<DisplayName>().is_ok());
        assert!("é".repeat(200).parse::<DisplayName>().is_ok());
        assert!("é".repeat(201).parse::<DisplayName>().is_err());
        assert!("a\u{7}b".parse::<DisplayName>().is_err());
    }

    #[test]
    fn invisible_characters_are_refused_with_code_and_position() {
        let refused = |text: &str| text.parse::<DisplayName>().unwrap_err().to_string();
        assert_eq!(refused("a\u{7}b"), "must not contain control characters: character 2 is U+0007");
        assert_eq!(refused("üab\u{202e}"), "must not contain invisible characters: character 4 is U+202E");
        for unseen in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            '\u{2060}',
            '\u{2064}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0020}',
            '\u{e0100}',
        ] {
            for text in [format!("a{unseen}b"), format!("{unseen}"), format!("ä{unseen}")] {
                assert!(text.parse::<DisplayName>().is_err(), "{unseen:?}");
                assert!(text.parse::<Reason>().is_err(), "{unseen:?}");
                assert!(text.parse::<ExternalId>().is_err(), "{unseen:?}");
            }
        }
    }

    #[test]
    fn text_in_any_script_is_accepted() {
        for text in [
            "Ärger",
            "Ελληνικά",
            "עברית",
            "العربية",
            "हिन्दी",
            "ไทย",
            "한국어",
            "日本語",
            "⚙\u{fe0f} Deploy ☎\u{fe0e}",
            "ℹ\u{fe0f} Ⓜ\u{fe0f} 🅰\u{fe0f} 🅱\u{fe0f} 🅾\u{fe0f} 🅿\u{fe0f}",
        ] {
            assert_eq!(text.parse::<DisplayName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn texts_are_normalised_and_then_measured() {
        let name: DisplayName = "Cafe\u{301} A\u{30a} \u{1112}\u{1161}\u{11ab}".parse().unwrap();
        assert_eq!(name.as_str(), "Caf\u{e9} \u{c5} \u{d55c}");
        assert!("e\u{301}".repeat(200).parse::<DisplayName>().is_ok());
        assert!("e\u{301}".repeat(201).parse::<DisplayName>().is_err());
        assert!("\u{3b1}\u{313}\u{300}\u{345}".repeat(200).parse::<DisplayName>().is_ok());
        // One character that becomes two in normal form.
        assert!("\u{958}".repeat(100).parse::<DisplayName>().is_ok());
        assert!("\u{958}".repeat(101).parse::<DisplayName>().is_err());
    }

    #[test]
    fn stored_text_is_read_without_checks() {
        for text in ["a\u{202e}b", "cafe\u{301}", "a\u{7}"] {
            assert_eq!(DisplayName::from_stored(text).as_str(), text);
            assert_eq!(Reason::from_stored(text).as_str(), text);
            assert_eq!(ExternalId::from_stored(text).as_str(), text);
        }
    }

    #[test]
    fn words_ignore_case_and_punctuation() {
        let name: DisplayName = "Billing-Service (EU)".parse().unwrap();
        assert_eq!(name.words().collect::<Vec<_>>(), ["billing", "service", "eu"]);
    }

    /// Verifications contain customers, so text that is already in normal form must not be copied.
    #[test]
    fn a_text_in_normal_form_is_not_copied() {
        for (text, borrowed) in [("shop", true), ("caf\u{e9}", true), ("cafe\u{301}", false)] {
            assert_eq!(matches!(normal(text), Cow::Borrowed(_)), borrowed, "{text}");
        }
    }

    #[test]
    fn text_with_an_api_key_is_refused() {
        let text = format!("for {}", crate::key::sample::api_key().expose());
        for error in [
            text.parse::<DisplayName>().unwrap_err(),
            text.parse::<Reason>().unwrap_err(),
            text.parse::<ExternalId>().unwrap_err(),
        ] {
            assert_eq!(
                error.to_string(),
                "must not contain an API key: remove it, or use its masked form",
                "it does not repeat the API key"
            );
        }
    }

    #[test]
    fn each_text_has_its_limit_and_is_empty_by_default() {
        let refused = |text: &str| text.parse::<Reason>().unwrap_err().to_string();
        assert!("a".repeat(500).parse::<Reason>().is_ok());
        assert_eq!(refused(&"a".repeat(501)), "must be at most 500 characters");
        assert!("a".repeat(128).parse::<ExternalId>().is_ok());
        assert!("a".repeat(129).parse::<ExternalId>().is_err());
        assert_eq!(DisplayName::default().as_str(), "");
        assert_eq!("".parse(), Ok(DisplayName::default()));
    }
}
