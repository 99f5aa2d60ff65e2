//! The change log: one event for every change, chained by hashes so that tampering shows.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    Revision,
    id::{KeyId, ProjectId, ServiceAccountId},
    time::Timestamp,
};

pub type Hash = [u8; 32];

/// The previous hash of the first event.
pub const GENESIS: Hash = [0; 32];

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A caller, by the account and key of the system project that it authenticated with.
    Caller { service_account: ServiceAccountId, key: KeyId },
    /// Keystile itself: at the first start, by a command, or in housekeeping.
    Keystile,
}

impl Actor {
    pub fn service_account(&self) -> Option<&ServiceAccountId> {
        match self {
            Self::Caller { service_account, .. } => Some(service_account),
            Self::Keystile => None,
        }
    }
}

/// A change that is about to be made. Its commit gives it a revision.
#[derive(Debug, Clone)]
pub struct Change {
    pub time: Timestamp,
    pub project: ProjectId,
    pub actor: Actor,
    /// Collection and verb, as in `keys.create`.
    pub action: &'static str,
    /// The name of the changed resource.
    pub target: String,
    pub request_id: String,
    /// The address that the caller connected from; empty for Keystile itself.
    pub peer: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// A change with its position in the log, in the form in which it is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub revision: Revision,
    pub time: Timestamp,
    pub project: String,
    /// Empty for Keystile itself, as is the key.
    pub actor_account: String,
    pub actor_key: String,
    pub action: String,
    pub target: String,
    pub request_id: String,
    pub peer: String,
    /// JSON; empty if the resource did not exist.
    pub before: String,
    pub after: String,
    pub previous_hash: Hash,
    pub hash: Hash,
}

/// The revision and hash of the newest event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub revision: Revision,
    pub hash: Hash,
}

impl Head {
    /// The event that `change` becomes after this head.
    pub fn next(&self, change: &Change) -> Event {
        let (actor_account, actor_key) = match &change.actor {
            Actor::Caller { service_account, key } => (service_account.to_string(), key.to_string()),
            Actor::Keystile => Default::default(),
        };
        let json = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
        let mut event = Event {
            revision: self.revision + 1,
            time: change.time,
            project: change.project.to_string(),
            actor_account,
            actor_key,
            action: change.action.to_owned(),
            target: change.target.clone(),
            request_id: change.request_id.clone(),
            peer: change.peer.clone(),
            before: json(&change.before),
            after: json(&change.after),
            previous_hash: self.hash,
            hash: GENESIS,
        };
        event.hash = event.hash_of_content();
        event
    }
}

impl Event {
    pub fn head(&self) -> Head {
        Head { revision: self.revision, hash: self.hash }
    }

    /// SHA-256 over every other field, each text preceded by its length.
    pub fn hash_of_content(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(b"keystile.v1.audit");
        hasher.update(self.previous_hash);
        hasher.update(self.revision.to_be_bytes());
        hasher.update(self.time.as_micros().to_be_bytes());
        for text in [
            &self.project,
            &self.actor_account,
            &self.actor_key,
            &self.action,
            &self.target,
            &self.request_id,
            &self.peer,
            &self.before,
            &self.after,
        ] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        hasher.finalize().into()
    }

    /// What is wrong with this event right after `previous`.
    pub fn fault_after(&self, previous: &Head) -> Option<Fault> {
        if self.revision != previous.revision + 1 {
            Some(Fault { revision: previous.revision + 1, problem: "the event is missing" })
        } else if self.previous_hash != previous.hash {
            Some(Fault { revision: self.revision, problem: "it does not follow from the previous event" })
        } else if self.hash != self.hash_of_content() {
            Some(Fault { revision: self.revision, problem: "its hash does not match its content" })
        } else {
            None
        }
    }
}

/// The first place where the chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub revision: Revision,
    pub problem: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: i64) -> Vec<Event> {
        let mut head = Head { revision: 0, hash: GENESIS };
        (0..length)
            .map(|at| {
                let event = head.next(&Change {
                    time: Timestamp::from_micros(at),
                    project: "acme".parse().unwrap(),
                    actor: Actor::Keystile,
                    action: "keys.create",
                    target: format!("projects/acme/keys/{at}"),
                    request_id: String::new(),
                    peer: String::new(),
                    before: None,
                    after: Some(serde_json::json!({ "at": at })),
                });
                head = event.head();
                event
            })
            .collect()
    }

    fn first_fault(events: &[Event]) -> Option<Fault> {
        let mut head = Head { revision: 0, hash: GENESIS };
        for event in events {
            if let Some(fault) = event.fault_after(&head) {
                return Some(fault);
            }
            head = event.head();
        }
        None
    }

    #[test]
    fn an_untampered_chain_is_intact() {
        assert_eq!(first_fault(&chain(5)), None);
    }

    #[test]
    fn every_kind_of_tampering_is_found_at_its_revision() {
        let mut edited = chain(5);
        edited[2].target.push('x');
        assert_eq!(first_fault(&edited).unwrap().revision, 3);

        let mut removed = chain(5);
        removed.remove(2);
        assert_eq!(first_fault(&removed).unwrap().revision, 3);

        let mut rehashed = chain(5);
        rehashed[2].target.push('x');
        rehashed[2].hash = rehashed[2].hash_of_content();
        assert_eq!(first_fault(&rehashed).unwrap().revision, 4);
    }

    #[test]
    fn moving_text_between_fields_changes_the_hash() {
        let mut event = chain(1).remove(0);
        event.target.push('x');
        let one = event.hash_of_content();
        event.target.pop();
        event.request_id.push('x');
        assert_ne!(one, event.hash_of_content());
    }

    #[test]
    fn every_kind_of_tampering_has_its_message() {
        let genesis = Head { revision: 0, hash: GENESIS };
        let problem = |event: &Event| event.fault_after(&genesis).map(|fault| fault.problem);
        let honest = chain(1).remove(0);
        assert_eq!(problem(&honest), None);
        assert_eq!(problem(&chain(2)[1]), Some("the event is missing"));
        let moved = Event { previous_hash: [1; 32], ..honest.clone() };
        assert_eq!(problem(&moved), Some("it does not follow from the previous event"));
        let edited = Event { target: String::new(), ..honest };
        assert_eq!(problem(&edited), Some("its hash does not match its content"));
    }

    #[test]
    fn an_event_has_the_fields_of_its_change_and_its_revision() {
        let key = KeyId::new(Timestamp::from_micros(0), [1; 10]);
        let actor = Actor::Caller { service_account: "admin".parse().unwrap(), key };
        assert_eq!(actor.service_account().map(ServiceAccountId::as_str), Some("admin"));
        assert_eq!(Actor::Keystile.service_account(), None);
        let mut change = Change {
            time: Timestamp::from_micros(5),
            project: "acme".parse().unwrap(),
            actor,
            action: "keys.create",
            target: "projects/acme/keys/1".into(),
            request_id: "request".into(),
            peer: "192.0.2.1".into(),
            before: None,
            after: Some(serde_json::json!({ "tags": [] })),
        };
        let head = Head { revision: 7, hash: [7; 32] };
        let event = head.next(&change);
        let expected = Event {
            revision: 8,
            time: Timestamp::from_micros(5),
            project: "acme".into(),
            actor_account: "admin".into(),
            actor_key: key.to_string(),
            action: "keys.create".into(),
            target: "projects/acme/keys/1".into(),
            request_id: "request".into(),
            peer: "192.0.2.1".into(),
            before: String::new(),
            after: "{\"tags\":[]}".into(),
            previous_hash: [7; 32],
            hash: event.hash_of_content(),
        };
        assert_eq!(event, expected);
        assert_eq!(event.head(), Head { revision: 8, hash: event.hash });
        change.actor = Actor::Keystile;
        let event = head.next(&change);
        assert_eq!((event.actor_account.as_str(), event.actor_key.as_str()), ("", ""));
    }

    /// Stored chains must stay valid when the code changes.
    #[test]
    fn the_hash_of_an_event_stays_the_same() {
        let hash = chain(1)[0].hash.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(hash, "ac90a33c0cfbfd442feb4ded6aac2079a99a23fc5d7fd8aba804728312c36265");
    }
}
