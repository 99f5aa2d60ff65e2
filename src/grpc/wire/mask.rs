//! Which fields an update changes.

use domain::Invalid;

use crate::verbs::Error;

use super::faults::Faults;

/// The fields that an update names.
#[derive(Debug)]
pub(in crate::grpc) enum Mask {
    /// All that are set in the resource.
    Set,
    All,
    Paths(Vec<String>),
}

impl Mask {
    /// Notes paths that are none of `mutable`; `not_yet` are those whose capability is still to come, as fields of the request.
    pub(in crate::grpc) fn read(
        faults: &mut Faults,
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
        let name = |field: &str| field.split_once('.').map_or(field, |(_, name)| name).to_owned();
        if let Some(field) = not_yet.iter().find(|field| paths.contains(&name(field))) {
            return Err(Error::NotYetAvailable { field: (*field).to_owned() });
        }
        for path in paths {
            if !mutable.contains(&path.as_str()) {
                faults.wrong("update_mask", || {
                    // Long enough for a field's name, so that there is room for those that can be updated.
                    let path: String = path.chars().take(60).collect();
                    Invalid::new(format!(
                        "{path:?} cannot be updated; fields that can: {}",
                        mutable.join(", ")
                    ))
                });
            }
        }
        Ok(Self::Paths(paths.clone()))
    }

    /// Whether `field`, which is set in the resource or not, is to be changed.
    pub(in crate::grpc) fn names(&self, field: &str, set: bool) -> bool {
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
        let mut faults = Faults::default();
        let mask = Some(prost_types::FieldMask { paths });
        let mutable = ["display_name", "tags"];
        let mask = Mask::read(&mut faults, mask.as_ref(), &mutable, &["key.roles"])?;
        faults.finish(Some(mask))
    }

    #[test]
    fn a_mask_has_the_fields_that_it_names() {
        assert!(read(&["tags"]).unwrap().names("tags", false));
        assert!(!read(&["tags"]).unwrap().names("display_name", true));
        assert!(read(&["*"]).unwrap().names("tags", false));
        assert!(read(&[]).unwrap().names("tags", true));
        assert!(!read(&[]).unwrap().names("tags", false));
    }

    #[test]
    fn a_mask_refuses_unknown_fields() {
        let Err(Error::Invalid(faults)) = read(&["state", "tags", "color"]) else { panic!() };
        assert_eq!(faults.len(), 2);
        assert!(matches!(
            read(&["roles"]),
            Err(Error::NotYetAvailable { field }) if field == "key.roles"
        ));
    }
}
