//! The keys of one client, as its responses describe them, and its last call, which got no response.

use std::sync::atomic::{AtomicBool, Ordering};

use proto::{CreateKeyRequest, RevokeKeyRequest, RotateKeyRequest};
use tokio::sync::watch;
use tonic::Status;

use crate::home::{Caller, new_key};

/// A key as of the last response about it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) version: i32,
    /// The newest API key; `None` if the response with it was lost.
    pub(crate) current: Option<String>,
    /// Earlier API keys, ended by rotations without grace.
    pub(crate) ended: Vec<String>,
    pub(crate) revoked: bool,
}

/// A call that was not answered.
#[derive(Debug, Clone)]
pub(crate) enum Pending {
    Create(Box<CreateKeyRequest>),
    /// A rotation of the known key at this index, whose secret has this version.
    Rotate(usize, i32, RotateKeyRequest),
    Revoke(usize, RevokeKeyRequest),
}

#[derive(Debug)]
pub(crate) struct Ledger {
    client: usize,
    calls: usize,
    random: Random,
    pub(crate) known: Vec<Known>,
    pub(crate) pending: Option<Pending>,
}

impl Ledger {
    pub(crate) fn new(client: usize, random: Random) -> Self {
        Self { client, calls: 0, random, known: Vec::new(), pending: None }
    }

    /// Makes calls until the server is killed; `answered` counts the calls of all clients.
    pub(crate) async fn work(
        mut self,
        caller: Caller,
        answered: watch::Sender<u64>,
        killed: &AtomicBool,
    ) -> Self {
        loop {
            let call = self.next_call();
            self.pending = Some(call.clone());
            match self.make(&caller, call).await {
                Ok(()) => {
                    self.pending = None;
                    answered.send_modify(|count| *count += 1);
                }
                Err(_) if killed.load(Ordering::SeqCst) => return self,
                Err(status) => panic!("{:?} failed before the kill: {status:?}", self.pending),
            }
        }
    }

    /// Makes the call, and records the response.
    pub(crate) async fn make(&mut self, caller: &Caller, call: Pending) -> Result<(), Status> {
        match call {
            Pending::Create(request) => {
                let created = caller.keys().create_key(*request).await?.into_inner();
                self.known.push(Known {
                    name: created.key.unwrap().name,
                    version: 1,
                    current: issued(created.api_key, created.api_key_already_issued),
                    ended: Vec::new(),
                    revoked: false,
                });
            }
            Pending::Rotate(at, _, request) => {
                let rotated = caller.keys().rotate_key(request).await?.into_inner();
                let api_key = issued(rotated.api_key, rotated.api_key_already_issued);
                self.known[at].rotated(api_key);
            }
            Pending::Revoke(at, request) => {
                caller.keys().revoke_key(request).await?;
                self.known[at].revoked = true;
            }
        }
        Ok(())
    }

    fn next_call(&mut self) -> Pending {
        self.calls += 1;
        let id = format!("client-{}-call-{}", self.client, self.calls);
        let living: Vec<_> = (0..self.known.len()).filter(|at| !self.known[*at].revoked).collect();
        let chosen = living.get(self.random.below(living.len().max(1) as u64) as usize);
        let Some(&at) = chosen else {
            return create(id);
        };
        let name = self.known[at].name.clone();
        match self.random.below(10) {
            0..4 => create(id),
            4..8 => Pending::Rotate(
                at,
                self.known[at].version,
                RotateKeyRequest { name, request_id: id, ..Default::default() },
            ),
            _ => Pending::Revoke(at, RevokeKeyRequest { name, reason: id, ..Default::default() }),
        }
    }
}

impl Known {
    pub(crate) fn rotated(&mut self, api_key: Option<String>) {
        let old = std::mem::replace(&mut self.current, api_key);
        self.ended.extend(old);
        self.version += 1;
    }
}

/// The display name is unique, so that the key can be found if the response with its name is lost.
fn create(id: String) -> Pending {
    Pending::Create(Box::new(CreateKeyRequest { request_id: id.clone(), ..new_key(&id) }))
}

fn issued(api_key: String, already_issued: bool) -> Option<String> {
    assert_eq!(already_issued, api_key.is_empty());
    (!already_issued).then_some(api_key)
}

/// Pseudo-random numbers from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
