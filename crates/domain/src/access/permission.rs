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
enum Kind {
    Permission,
    Grant,
}

/// What is wrong with a name, as text that follows "the permission".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NameFault {
    /// The characters before the fault.
    pub(super) before: usize,
    pub(super) why: Cow<'static, str>,
}

/// Where a grant has its first and its last `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wildcards {
    first: u8,
    last: u8,
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
    Mixed(Wildcards),
}

impl Permission {
    /// Reads a part of an expression, the whole of which is known to hold no API key.
    pub(super) fn read(text: &str) -> Result<Self, NameFault> {
        check(text, Kind::Permission)?;
        Ok(Self(text.into()))
    }
}

impl Grant {
    /// Most grants of one list that are [mixed](Self::is_mixed).
    pub const MOST_MIXED: usize = 50;

    /// Whether it has a `*` that is neither its first nor its last segment, or more than one. Such grants are compared with what
    /// is asked for one by one; all others are looked up.
    pub fn is_mixed(&self) -> bool {
        matches!(self.shape(), Shape::Mixed(_))
    }

    /// Whether it allows `permission`, which is the text of a [`Permission`].
    pub fn allows(&self, permission: &str) -> bool {
        match self.wildcards() {
            None => self.as_str() == permission,
            Some(wildcards) => self.allows_with(wildcards, permission),
        }
    }

    /// As [`Grant::allows`], with its own `wildcards`.
    #[inline]
    pub(super) fn allows_with(&self, wildcards: Wildcards, permission: &str) -> bool {
        let (first, last) = (usize::from(wildcards.first), usize::from(wildcards.last));
        let between = permission
            .strip_prefix(&self.as_str()[..first])
            .and_then(|rest| rest.strip_suffix(&self.as_str()[last + 1..]));
        between.is_some_and(|between| first == last || self.takes(first, last, between.as_bytes()))
    }

    /// Whether the part from the wildcard at `first` to the one at `last` matches `between`.
    ///
    /// Each wildcard takes at least one character, and ends where the next literal first occurs. To take less is never
    /// wrong, because the next wildcard can take more. No name ends with a dot, so the last one always finds something.
    fn takes(&self, first: usize, last: usize, mut between: &[u8]) -> bool {
        // Each begins and ends with a dot, so that only whole segments match.
        let mut literals = self.as_str().as_bytes()[first + 1..last].split(|byte| *byte == b'*');
        literals.all(|literal| {
            let place = between.windows(literal.len()).skip(1).position(|text| text == literal);
            if let Some(place) = place {
                between = &between[1 + place + literal.len()..];
            }
            place.is_some()
        })
    }

    fn wildcards(&self) -> Option<Wildcards> {
        // A grant has at most 100 characters.
        let place = |at: usize| u8::try_from(at).ok();
        let (first, last) = (self.as_str().find('*')?, self.as_str().rfind('*')?);
        Some(Wildcards { first: place(first)?, last: place(last)? })
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
        let Some(wildcards) = self.wildcards() else { return Shape::Exact };
        let is_one = wildcards.first == wildcards.last;
        match (text.strip_suffix(".*"), text.strip_prefix("*.")) {
            _ if text == "*" => Shape::Everything,
            (Some(above), _) if is_one => Shape::Below(above),
            (_, Some(end)) if is_one => Shape::Ending(end),
            _ => Shape::Mixed(wildcards),
        }
    }
}

fn permission(text: &str) -> Result<(), Invalid> {
    valid(text, Kind::Permission)
}

fn grant(text: &str) -> Result<(), Invalid> {
    valid(text, Kind::Grant)
}

fn valid(text: &str, kind: Kind) -> Result<(), Invalid> {
    without_api_key(text)?;
    check(text, kind).map_err(|NameFault { before, why }| {
        Invalid::new(if text.is_empty() {
            why
        } else {
            format!("{why} (at character {})", before + 1).into()
        })
    })
}

fn check(text: &str, kind: Kind) -> Result<(), NameFault> {
    let fault = |before, why: Cow<'static, str>| Err(NameFault { before, why });
    if text.is_empty() {
        return fault(0, "must not be empty".into());
    }
    if matches!(text, "AND" | "OR" | "NOT") {
        return fault(0, "must not be an operator of expressions".into());
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
            Some(_) if segment == "*" && kind == Kind::Grant => {}
            Some((offset, character)) => return fault(before + offset, misplaced(character, kind)),
        }
        // An accepted segment is ASCII.
        before += segment.len() + 1;
    }
    Ok(())
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

fn misplaced(character: char, kind: Kind) -> Cow<'static, str> {
    match (character, kind) {
        ('*', Kind::Grant) => {
            "has * as a part of a segment: * stands for whole segments, as in documents.*".into()
        }
        ('*', Kind::Permission) => {
            "has *, which only a grant may have: ask for a permission by its full name".into()
        }
        _ => {
            format!("has the character {character:?}: its segments may have letters, digits, _ and -").into()
        }
    }
}
