//! Which fields an update changes.

use crate::{
    domain::Invalid,
    service::{Error, FieldFault},
};

/// The fields that an update names.
#[derive(Debug)]
pub(super) enum Mask {
    /// All that are set in the resource.
    Set,
    All,
    Paths(Vec<String>),
}

impl Mask {
    /// Refuses paths that are none of `mutable`; `not_yet` are those whose capability is still to come.
    pub(super) fn read(
        mask: Option<&prost_types::FieldMask>,
        mutable: &[&str],
        not_yet: &[&'static str],
    ) -> Result<Self, Error> {
        let paths = match mask {
            None => return Ok(Self::Set),
            Some(mask) if mask.paths.is_empty() => return Ok(Self::Set),
            Some(mask) if mask.paths == ["*"] => return Ok(Self::All),
            Some(mask) => &mask.paths,
        };
        if let Some(field) = not_yet.iter().find(|field| paths.iter().any(|path| path == *field)) {
            return Err(Error::NotYetAvailable { field: (*field).to_owned() });
        }
        let fault = |path: &String| {
            let why = Invalid::new(format!(
                "{path:?} is no field that can be updated; those are {}",
                mutable.join(", ")
            ));
            FieldFault::new("update_mask", &why)
        };
        let faults: Vec<_> =
            paths.iter().filter(|path| !mutable.contains(&path.as_str())).map(fault).collect();
        if faults.is_empty() { Ok(Self::Paths(paths.clone())) } else { Err(Error::Invalid(faults)) }
    }

    /// Whether `field`, which is set in the resource or not, is to be changed.
    pub(super) fn names(&self, field: &str, set: bool) -> bool {
        match self {
            Self::Set => set,
            Self::All => true,
            Self::Paths(paths) => paths.iter().any(|path| path == field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(paths: &[&str]) -> Result<Mask, Error> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Mask::read(Some(&prost_types::FieldMask { paths }), &["display_name", "tags"], &["roles"])
    }

    #[test]
    fn names_what_it_says() {
        assert!(read(&["tags"]).unwrap().names("tags", false));
        assert!(!read(&["tags"]).unwrap().names("display_name", true));
        assert!(read(&["*"]).unwrap().names("tags", false));
        assert!(read(&[]).unwrap().names("tags", true));
        assert!(!read(&[]).unwrap().names("tags", false));
    }

    #[test]
    fn refuses_every_other_field() {
        let Err(Error::Invalid(faults)) = read(&["state", "tags", "color"]) else { panic!() };
        assert_eq!(faults.len(), 2);
        assert!(matches!(
            read(&["roles"]),
            Err(Error::NotYetAvailable { field }) if field == "roles"
        ));
    }
}
