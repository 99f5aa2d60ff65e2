//! Keys by number: all their parts are derived from it, so that they need not be stored.

use domain::{
    digest::{Digest, Peppers, Secret},
    id::KeyId,
    time::Timestamp,
    token,
};

use crate::{requests::mix, server::PEPPER};

#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Prefix and environment tag.
    head: String,
    peppers: Peppers,
}

/// Numbers from here on belong to no key.
pub(crate) const UNKNOWN: u64 = 1 << 36;

impl Keys {
    /// Keys with the prefix and tag of `api_key`.
    pub(crate) fn like(api_key: &str) -> Self {
        let (head, _) = api_key.rsplit_once('_').expect("the text is an API key");
        Self { head: head.to_owned(), peppers: Peppers::new([(1, PEPPER)]).expect("there is a part") }
    }

    pub(crate) fn id(&self, number: u64) -> KeyId {
        const START: i64 = 1_700_000_000_000_000;
        let time = i64::try_from(number).expect("the number is small") * 1000 + START;
        let mut random = [0; 10];
        random[..8].copy_from_slice(&mix(number).to_be_bytes());
        KeyId::new(Timestamp::from_micros(time), random)
    }

    pub(crate) fn api_key(&self, number: u64) -> String {
        let api_key = token::issue(&self.head, self.id(number), &secret(number));
        api_key.expose().to_owned()
    }

    pub(crate) fn digest(&self, number: u64) -> Digest {
        self.peppers.digest(self.id(number), &secret(number))
    }

    /// The API keys of `count` numbers from `start`, in a pseudo-random order.
    pub(crate) fn shuffled(&self, start: u64, count: u64) -> impl Iterator<Item = String> {
        // A prime, so that each number comes once.
        const STRIDE: u64 = 2_654_435_761;
        (0..count).map(move |at| self.api_key(start + at * STRIDE % count))
    }

    /// `count` of the numbers up to `stored`, spread over all of them; another `round` takes others.
    pub(crate) fn sample(&self, stored: u64, count: u64, round: u64) -> impl Iterator<Item = String> {
        const STRIDE: u64 = 2_654_435_761;
        (0..count).map(move |at| self.api_key((round * count + at) % stored * STRIDE % stored))
    }
}

fn secret(number: u64) -> Secret {
    let mut bytes = [0; 32];
    for (part, bytes) in (0..).zip(bytes.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&mix(number * 4 + part + 1).to_be_bytes());
    }
    Secret::new(bytes)
}

/// `api_key` with a wrong checksum.
pub(crate) fn damaged(api_key: &str) -> String {
    let (rest, last) = api_key.split_at(api_key.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}
