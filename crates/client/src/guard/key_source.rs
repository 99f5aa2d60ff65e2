//! Where a request carries its API key.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

/// A place in a request that an API key is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySource(Source);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Bearer,
    Header(HeaderName),
}

/// What the sources of a request hold.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Presented {
    /// One API key, also if it is there more than once.
    One(String),
    Nothing,
    /// Two that differ: which of them would be meant is not for us to guess.
    Several,
}

impl KeySource {
    /// The header `authorization` with the scheme `Bearer`. Other schemes are ignored.
    pub fn bearer() -> Self {
        Self(Source::Bearer)
    }

    /// A header that holds nothing but the API key.
    ///
    /// # Panics
    ///
    /// If `name` is not the name of a header in lower case.
    pub fn header(name: &'static str) -> Self {
        Self(Source::Header(HeaderName::from_static(name)))
    }

    fn name(&self) -> &HeaderName {
        match &self.0 {
            Source::Bearer => &AUTHORIZATION,
            Source::Header(name) => name,
        }
    }

    /// The API key in `value`; `None` if the value is not for us.
    fn read<'a>(&self, value: &'a HeaderValue) -> Option<&'a [u8]> {
        let value = value.as_bytes();
        match &self.0 {
            Source::Bearer => {
                let (scheme, rest) = value.split_at_checked(b"Bearer".len())?;
                let separated = rest.is_empty() || rest.starts_with(b" ");
                (separated && scheme.eq_ignore_ascii_case(b"Bearer")).then(|| rest.trim_ascii())
            }
            Source::Header(_) => Some(value.trim_ascii()),
        }
    }
}

/// Reads the API key of a request.
pub(super) fn presented(headers: &HeaderMap, sources: &[KeySource]) -> Presented {
    let values = sources
        .iter()
        .flat_map(|source| headers.get_all(source.name()).iter().filter_map(|value| source.read(value)));
    let mut keys = values.filter(|key| !key.is_empty());
    let Some(key) = keys.next() else { return Presented::Nothing };
    if keys.any(|other| other != key) {
        return Presented::Several;
    }
    // What is not UTF-8 is not an API key either, and Keystile says so.
    Presented::One(String::from_utf8_lossy(key).into_owned())
}

/// Removes the API key: nothing behind the guard may see it.
pub(super) fn remove(headers: &mut HeaderMap, sources: &[KeySource]) {
    for source in sources {
        if headers.get_all(source.name()).iter().any(|value| source.read(value).is_some()) {
            headers.remove(source.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> [KeySource; 2] {
        [KeySource::bearer(), KeySource::header("x-api-key")]
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_api_key_is_found_in_any_source() {
        for fields in [
            &[("authorization", "Bearer key")][..],
            &[("authorization", "bearer  key ")],
            &[("x-api-key", " key ")],
            &[("x-api-key", "key"), ("authorization", "Bearer key")],
            &[("x-api-key", "key"), ("authorization", "Basic dTpw")],
            &[("x-api-key", "key"), ("authorization", "Bearer ")],
        ] {
            let found = presented(&headers(fields), &sources());
            assert_eq!(found, Presented::One("key".into()), "{fields:?}");
        }
    }

    #[test]
    fn a_missing_api_key_differs_from_an_empty_one() {
        for fields in [
            &[][..],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer  ")],
            &[("authorization", "Bearerkey")],
            &[("authorization", "Basic key")],
            &[("authorization", "key")],
            &[("x-api-key", "")],
            &[("x-forwarded-api-key", "key")],
        ] {
            assert_eq!(presented(&headers(fields), &sources()), Presented::Nothing, "{fields:?}");
        }
    }

    #[test]
    fn two_different_api_keys_are_refused() {
        for fields in [
            [("authorization", "Bearer one"), ("x-api-key", "two")],
            [("x-api-key", "one"), ("x-api-key", "two")],
            [("authorization", "Bearer one"), ("authorization", "Bearer two")],
        ] {
            assert_eq!(presented(&headers(&fields), &sources()), Presented::Several, "{fields:?}");
        }
    }

    #[test]
    fn only_headers_with_an_api_key_are_removed() {
        let mut fields = headers(&[("authorization", "Basic dTpw"), ("x-api-key", "key"), ("accept", "*/*")]);
        remove(&mut fields, &sources());
        assert_eq!(fields, headers(&[("authorization", "Basic dTpw"), ("accept", "*/*")]));
        let mut fields = headers(&[("authorization", "Basic dTpw"), ("authorization", "Bearer key")]);
        remove(&mut fields, &sources());
        assert!(fields.is_empty());
    }
}
