//! Reading a request field by field, so that all invalid fields are reported at once.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use domain::{
    Invalid,
    access::{ExpressionFault, Grant},
    filter::{Filter, FilterError},
    labels::Metadata,
    time::Timestamp,
};
use ipnet::IpNet;

use crate::verbs::{Error, FieldFault};

use super::{network::Network, status::REPORTED};

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(in crate::grpc) struct Faults(Vec<FieldFault>);

impl Faults {
    /// The value, or `None` with the fault noted.
    pub(in crate::grpc) fn take<T>(&mut self, field: &str, value: Result<T, Invalid>) -> Option<T> {
        value.map_err(|why| self.wrong(field, || why)).ok()
    }

    /// The first are reported; of a long list of wrong entries the others are only counted, and so cost little.
    pub(in crate::grpc) fn wrong(&mut self, field: &str, why: impl FnOnce() -> Invalid) {
        let reported = self.0.len() < REPORTED;
        self.0.push(if reported { FieldFault::new(field, &why()) } else { FieldFault::default() });
    }

    pub(in crate::grpc) fn read<T: FromStr<Err = Invalid>>(&mut self, field: &str, text: &str) -> Option<T> {
        let value = text.parse().map_err(|why| match text {
            "" => Invalid::new(format!("is required: it {why}")),
            _ => why,
        });
        self.take(field, value)
    }

    /// `Some(None)` for an empty text.
    pub(in crate::grpc) fn read_optional<T: FromStr<Err = Invalid>>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<Option<T>> {
        if text.is_empty() { Some(None) } else { self.read(field, text).map(Some) }
    }

    /// A list without repetitions, of at most `most`.
    pub(in crate::grpc) fn list<T: FromStr<Err = Invalid> + PartialEq>(
        &mut self,
        field: &str,
        texts: &[String],
        most: usize,
    ) -> Option<Vec<T>> {
        if texts.len() > most {
            return self.take(field, Err(Invalid::new(format!("must have at most {most} entries"))));
        }
        let mut list = Vec::with_capacity(texts.len());
        let mut all_read = true;
        for (at, text) in texts.iter().enumerate() {
            match self.take(&format!("{field}[{at}]"), text.parse()) {
                Some(value) if !list.contains(&value) => list.push(value),
                Some(_) => {}
                None => all_read = false,
            }
        }
        all_read.then_some(list)
    }

    /// As [`Self::list`], but sorted, where the order has no meaning.
    pub(in crate::grpc) fn set<T: FromStr<Err = Invalid> + Ord>(
        &mut self,
        field: &str,
        texts: &[String],
        most: usize,
    ) -> Option<Vec<T>> {
        let mut list = self.list(field, texts, most)?;
        list.sort_unstable();
        Some(list)
    }

    /// Up to `most` grants of permissions.
    pub(in crate::grpc) fn grants(
        &mut self,
        field: &str,
        texts: &[String],
        most: usize,
    ) -> Option<Vec<Grant>> {
        let grants: Vec<Grant> = self.set(field, texts, most)?;
        let mixed = grants.iter().filter(|grant| grant.is_mixed()).count();
        if mixed > Grant::MOST_MIXED {
            let why = format!(
                "has {mixed} entries with a * that is neither their first nor their last segment; at most {} may have one",
                Grant::MOST_MIXED
            );
            return self.take(field, Err(Invalid::new(why)));
        }
        Some(grants)
    }

    pub(in crate::grpc) fn cidrs(&mut self, field: &str, texts: &[String]) -> Option<Vec<IpNet>> {
        let list: Vec<Network> = self.list(field, texts, 100)?;
        Some(list.into_iter().map(|Network(network)| network).collect())
    }

    pub(in crate::grpc) fn metadata(
        &mut self,
        field: &str,
        entries: &BTreeMap<String, String>,
    ) -> Option<Metadata> {
        self.take(field, Metadata::try_from(entries.clone()))
    }

    pub(in crate::grpc) fn time(&mut self, field: &str, time: &prost_types::Timestamp) -> Option<Timestamp> {
        let micros = || {
            let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
            time.seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1000))
        };
        let year_1 = -62_135_596_800_000_000;
        let time = micros()
            .filter(|micros| (year_1..=Timestamp::MAX.as_micros()).contains(micros))
            .map(Timestamp::from_micros);
        self.take(field, time.ok_or_else(|| Invalid::new("must be a time of the years 1 to 9999")))
    }

    pub(in crate::grpc) fn duration(
        &mut self,
        field: &str,
        span: &prost_types::Duration,
    ) -> Option<Duration> {
        // prost's own conversion overflows, and so panics, at the lowest number of seconds.
        let seconds = u64::try_from(span.seconds).ok();
        let nanos = u32::try_from(span.nanos).ok().filter(|it| *it < 1_000_000_000);
        let read = seconds.zip(nanos).map(|(seconds, nanos)| Duration::new(seconds, nanos));
        self.take(field, read.ok_or_else(|| Invalid::new("must be a duration that is not negative")))
    }

    pub(in crate::grpc) fn not_negative(&mut self, field: &str, number: i64) -> Option<i64> {
        let checked = if number < 0 { Err(Invalid::new("must not be negative")) } else { Ok(number) };
        self.take(field, checked)
    }

    pub(in crate::grpc) fn filter<T>(
        &mut self,
        field: &str,
        text: &str,
        read: fn(&str) -> Result<Filter<T>, FilterError>,
    ) -> Option<Filter<T>> {
        let note = |error: FilterError| {
            self.0.push(FieldFault {
                field: field.to_owned(),
                description: error.to_string(),
                position: Some(error.position),
            });
        };
        read(text).map_err(note).ok()
    }

    pub(in crate::grpc) fn expression<T>(
        &mut self,
        field: &str,
        expression: Result<T, ExpressionFault>,
    ) -> Option<T> {
        let note = |fault: ExpressionFault| {
            self.0.push(FieldFault {
                field: field.to_owned(),
                description: fault.why.to_string(),
                position: Some(fault.position),
            });
        };
        expression.map_err(note).ok()
    }

    /// `value`, which is there when nothing was wrong; else everything that was.
    pub(in crate::grpc) fn finish<T>(self, value: Option<T>) -> Result<T, Error> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Error::Invalid(self.0)),
        }
    }
}

/// Both readings of one request, or everything that is wrong with either.
pub(in crate::grpc) fn both<A, B>(one: Result<A, Error>, other: Result<B, Error>) -> Result<(A, B), Error> {
    match (one, other) {
        (Err(Error::Invalid(mut faults)), Err(Error::Invalid(more))) => {
            faults.extend(more);
            Err(Error::Invalid(faults))
        }
        (one, other) => Ok((one?, other?)),
    }
}

/// The `error` of a message whose own path in the request ends with a dot, as in `request.`.
pub(in crate::grpc) fn within(path: &str, error: Error) -> Error {
    let below = |field: &str| format!("{path}{field}");
    match error {
        Error::Invalid(mut faults) => {
            faults.iter_mut().for_each(|fault| fault.field = below(&fault.field));
            Error::Invalid(faults)
        }
        Error::NotYetAvailable { field } => Error::NotYetAvailable { field: below(&field) },
        error => error,
    }
}

/// Fails if a field is set whose feature is not built yet; `path` is the message that has it.
pub(in crate::grpc) fn not_yet(path: &str, asked: &[(&'static str, bool)]) -> Result<(), Error> {
    match asked.iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(Error::NotYetAvailable { field: format!("{path}{field}") }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_reported_at_once() {
        let mut faults = Faults::default();
        let time = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        assert!(faults.time("key.expire_time", &time).is_none());
        assert!(faults.read::<domain::id::ProjectId>("parent", "A B").is_none());
        let Err(Error::Invalid(faults)) = faults.finish(None::<()>) else { panic!() };
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["key.expire_time", "parent"]);
    }
}
