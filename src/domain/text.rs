//! Free text that people give: no control characters, never longer than what a page can show.

use super::{Invalid, id::checked_string};

checked_string! {
    /// What people call a project, service account or key; may be empty.
    DisplayName, |text| plain(text, 200)
}
checked_string! {
    /// Why a key was revoked; may be empty.
    Reason, |text| plain(text, 500)
}
checked_string! {
    /// The id that another system gives a service account; may be empty.
    ExternalId, |text| plain(text, 128)
}

/// Texts that may be empty, and are unless given.
macro_rules! empty_by_default {
    ($($name:ident),*) => {$(
        impl Default for $name {
            fn default() -> Self {
                "".parse().expect("it may be empty")
            }
        }
    )*};
}
empty_by_default!(DisplayName, Reason, ExternalId);

impl DisplayName {
    /// The words by which the name is found: lower case, split at what is no letter or digit.
    pub fn words(&self) -> impl Iterator<Item = String> {
        words(self.as_str())
    }
}

/// The words of any text, as [`DisplayName::words`] has them.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

pub(super) fn plain(text: &str, most: usize) -> Result<(), Invalid> {
    if text.chars().count() > most {
        return Err(Invalid::new(format!("must be at most {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new("must have no control characters"));
    }
    Ok(())
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
    fn words_ignore_case_and_punctuation() {
        let name: DisplayName = "Billing-Service (EU)".parse().unwrap();
        assert_eq!(name.words().collect::<Vec<_>>(), ["billing", "service", "eu"]);
    }
}
