//! Every form in which a secret might be written, and the search for them.

use std::{collections::BTreeSet, fmt::Write};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The byte strings to search for, each with a description, by their first two bytes.
#[derive(Debug)]
pub(crate) struct Needles {
    by_start: Vec<Vec<(Vec<u8>, String)>>,
}

impl Needles {
    pub(crate) fn none() -> Self {
        Self { by_start: vec![Vec::new(); 1 << 16] }
    }

    /// An API key: as a whole, its secret, and the bytes that the secret encodes.
    pub(crate) fn api_key(&mut self, what: &str, api_key: &str) {
        let parts = Parts::of(api_key);
        self.add(&format!("{what}: whole"), api_key.as_bytes());
        self.add(&format!("{what}: secret"), parts.secret.as_bytes());
        let (first, second) = parts.secret.split_at(22);
        self.add(&format!("{what}: half of the secret"), first.as_bytes());
        self.add(&format!("{what}: half of the secret"), second.as_bytes());
        self.encoded(what, &parts.bytes);
        self.encoded(&format!("{what}: whole"), api_key.as_bytes());
    }

    /// A text that is certainly there, to check that the search finds it.
    pub(crate) fn control(&mut self, what: &str, needle: &[u8]) {
        self.add(what, needle);
    }

    /// A pepper, as `version:base64`.
    pub(crate) fn pepper(&mut self, pepper: &str) {
        let (version, text) = pepper.trim().split_once(':').unwrap();
        let bytes = STANDARD.decode(text).unwrap();
        let what = format!("pepper {version}");
        self.add(&format!("{what}: text"), text.as_bytes());
        self.encoded(&what, &bytes);
    }

    /// Descriptions of what is found in `haystack`.
    pub(crate) fn found_in(&self, haystack: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        // One pass: logs are long, and tests are built without optimisation.
        for (at, start) in haystack.windows(2).enumerate() {
            for (needle, what) in &self.by_start[place(start)] {
                if haystack[at..].starts_with(needle) {
                    found.insert(what.as_str());
                }
            }
        }
        found
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (&[u8], &str)> {
        let all = self.by_start.iter().flatten();
        all.map(|(needle, what)| (needle.as_slice(), what.as_str()))
    }

    fn encoded(&mut self, what: &str, bytes: &[u8]) {
        self.add(&format!("{what}: bytes"), bytes);
        self.add(&format!("{what}: hex"), hex(bytes).as_bytes());
        self.add(&format!("{what}: HEX"), hex(bytes).to_uppercase().as_bytes());
        self.add(&format!("{what}: base64"), STANDARD_NO_PAD.encode(bytes).as_bytes());
        self.add(&format!("{what}: base64url"), URL_SAFE_NO_PAD.encode(bytes).as_bytes());
        // As Rust and JSON print a list of bytes.
        let list = |divider| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(divider);
        self.add(&format!("{what}: list"), list(", ").as_bytes());
        self.add(&format!("{what}: close list"), list(",").as_bytes());
    }

    fn add(&mut self, what: &str, needle: &[u8]) {
        assert!(needle.len() >= 16, "{what} is too short to be looked for");
        self.by_start[place(needle)].push((needle.to_vec(), what.to_owned()));
    }
}

/// The parts of an API key.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) id: u128,
    pub(crate) secret: &'a str,
    bytes: [u8; 32],
}

impl<'a> Parts<'a> {
    pub(crate) fn of(api_key: &'a str) -> Self {
        let (_, body) = api_key.rsplit_once('_').unwrap();
        let (id, rest) = body.split_at(22);
        let secret = &rest[..44];
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&number(&secret[..22]).to_be_bytes());
        bytes[16..].copy_from_slice(&number(&secret[22..]).to_be_bytes());
        Self { id: number(id), secret, bytes }
    }

    /// The digest, which the database stores in place of the secret.
    pub(crate) fn digest(&self, pepper: &str) -> Vec<u8> {
        let (_, text) = pepper.trim().split_once(':').unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(text).unwrap()).unwrap();
        mac.update(&self.id.to_be_bytes());
        mac.update(&self.bytes);
        mac.finalize().into_bytes().to_vec()
    }
}

fn place(start: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([start[0], start[1]]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn number(digits: &str) -> u128 {
    digits.bytes().fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => panic!("no digit"),
        };
        number * 62 + u128::from(value)
    })
}
