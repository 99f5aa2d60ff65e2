//! Permissions, which are asked for, and grants, which are held.

use std::borrow::Cow;

use crate::{Invalid, id::checked_string, text::without_api_key};

checked_string! {
    /// What a caller asks for, such as `documents.read`: dotted segments of letters, digits, `_` and `-`.
    Permission, permission
}
checked_string! {
    /// A permission, or a pattern of permissions: a whole segment may be `*`, which stands for one or more segments.
    Grant, grant
}

const LONGEST: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wildcards {
    Allowed,
    Refused,
}

/// What is wrong with a name, as text that follows "the permission".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NameFault {
    /// The characters before the fault.
    pub(super) before: usize,
    pub(super) why: Cow<'static, str>,
}

/// How a grant matches, from which follows how it is found quickly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape<'a> {
    /// `*`
    Everything,
    /// `documents.read`
    Exact,
    /// `documents.*`, by the text before `.*`.
    Below(&'a str),
    /// `*.read`, by the text after `*.`.
    Ending(&'a str),
    /// Any other place or number of wildcards.
    Mixed,
}

impl Permission {
    /// Reads a part of an expression, the whole of which is known to hold no API key.
    pub(super) fn read(text: &str) -> Result<Self, NameFault> {
        check(text, Wildcards::Refused)?;
        Ok(Self(text.into()))
    }
}

impl Grant {
    /// Whether it allows `permission`, which is the text of a [`Permission`].
    pub fn allows(&self, permission: &str) -> bool {
        let (Some(first), Some(last)) = (self.as_str().find('*'), self.as_str().rfind('*')) else {
            return self.as_str() == permission;
        };
        let (head, tail) = (&self.as_str()[..first], &self.as_str()[last + 1..]);
        permission.len() > head.len() + tail.len()
            && permission.starts_with(head)
            && permission.ends_with(tail)
            && (first == last || self.matches(permission))
    }

    /// Whether it allows everything that `other` allows.
    ///
    /// It is enough to match the text of `other`: its `*` is a segment that equals no literal of ours, as is one of the
    /// segments for which it stands. If a `*` of ours takes that one, it takes more as well.
    pub fn covers(&self, other: &Grant) -> bool {
        self.allows(other.as_str())
    }

    pub(super) fn shape(&self) -> Shape<'_> {
        let text = self.as_str();
        let exact = |part: &str| !part.contains('*');
        match (text.strip_suffix(".*").filter(|it| exact(it)), text.strip_prefix("*.").filter(|it| exact(it)))
        {
            _ if text == "*" => Shape::Everything,
            _ if exact(text) => Shape::Exact,
            (Some(above), _) => Shape::Below(above),
            (_, Some(end)) => Shape::Ending(end),
            (None, None) => Shape::Mixed,
        }
    }

    /// Matches segment by segment. If that fails, the last `*` takes one segment more; to lengthen an earlier one as
    /// well would not help.
    fn matches(&self, permission: &str) -> bool {
        let (mut pattern, mut name) = (self.as_str().split('.'), permission.split('.'));
        let mut after_wildcard = None;
        loop {
            match (pattern.next(), name.next()) {
                (None, None) => return true,
                (Some(_), None) => return false,
                (Some("*"), Some(_)) => after_wildcard = Some((pattern.clone(), name.clone())),
                (Some(wanted), Some(segment)) if wanted == segment => {}
                _ => {
                    let Some((rest_of_pattern, rest_of_name)) = &mut after_wildcard else { return false };
                    if rest_of_name.next().is_none() {
                        return false;
                    }
                    (pattern, name) = (rest_of_pattern.clone(), rest_of_name.clone());
                }
            }
        }
    }
}

fn permission(text: &str) -> Result<(), Invalid> {
    valid(text, Wildcards::Refused)
}

fn grant(text: &str) -> Result<(), Invalid> {
    valid(text, Wildcards::Allowed)
}

fn valid(text: &str, wildcards: Wildcards) -> Result<(), Invalid> {
    without_api_key(text)?;
    check(text, wildcards).map_err(|NameFault { before, why }| {
        Invalid::new(if text.is_empty() {
            why
        } else {
            format!("{why} (at character {})", before + 1).into()
        })
    })
}

fn check(text: &str, wildcards: Wildcards) -> Result<(), NameFault> {
    let fault = |before, why: Cow<'static, str>| Err(NameFault { before, why });
    if text.is_empty() {
        return fault(0, "must not be empty".into());
    }
    if text.chars().nth(LONGEST).is_some() {
        return fault(LONGEST, format!("must be at most {LONGEST} characters").into());
    }
    let mut before = 0;
    for segment in text.split('.') {
        let odd = segment.chars().enumerate().find(|(_, character)| !is_name_character(*character));
        match odd {
            None if segment.is_empty() => {
                return fault(before, "has an empty segment: write it as in documents.read".into());
            }
            None => {}
            Some(_) if segment == "*" && wildcards == Wildcards::Allowed => {}
            Some((offset, character)) => return fault(before + offset, misplaced(character, wildcards)),
        }
        // An accepted segment is ASCII.
        before += segment.len() + 1;
    }
    Ok(())
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

fn misplaced(character: char, wildcards: Wildcards) -> Cow<'static, str> {
    match (character, wildcards) {
        ('*', Wildcards::Allowed) => {
            "has * as a part of a segment: * stands for whole segments, as in documents.*".into()
        }
        ('*', Wildcards::Refused) => {
            "has *, which only a grant may have: ask for a permission by its full name".into()
        }
        _ => {
            format!("has the character {character:?}: its segments may have letters, digits, _ and -").into()
        }
    }
}
