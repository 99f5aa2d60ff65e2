//! Every operation in every state: the state after it, or that it is forbidden.

use proto::{Code, Key, key::State};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::Code as Grpc;

use crate::calls::{HOUR, deletion, disabling, lives, revocation};

use super::operation::Operation;

const STATES: [State; 5] = [State::Active, State::Disabled, State::Revoked, State::Expired, State::Deleted];

/// The state afterwards, unless the state before forbids it.
fn outcome(state: State, operation: Operation) -> Option<State> {
    use State::{Active, Deleted, Disabled, Expired, Revoked};
    match (operation, state) {
        (Operation::Purge, _) => Some(state),
        (Operation::Undelete, Deleted) => Some(Active),
        (_, Deleted) | (Operation::Undelete, _) => None,
        (Operation::Update, _) => Some(state),
        (Operation::Delete, _) => Some(Deleted),
        (_, Revoked) => None,
        (Operation::Revoke, _) => Some(Revoked),
        (Operation::Rotate, Active | Disabled) => Some(state),
        (Operation::Disable, Active | Expired) => Some(Disabled),
        (Operation::Enable, Disabled) => Some(Active),
        _ => None,
    }
}

async fn put(server: &Server, state: State) -> (Key, String) {
    let (key, api_key) = server.key("acme", Key::default()).await;
    let key = match state {
        State::Disabled => server.disable(disabling(&key.name)).await.unwrap(),
        State::Revoked => server.revoke(revocation(&key.name)).await.unwrap(),
        State::Deleted => server.delete(deletion(&key.name)).await.unwrap(),
        _ => key,
    };
    (key, api_key)
}

async fn put_to_expire(server: &Server) -> (Key, String) {
    let key = Key { expiration: lives(HOUR), ..Default::default() };
    server.key("acme", key).await
}

#[tokio::test]
async fn each_operation_leads_to_its_state_or_is_forbidden() {
    let server = Server::start().await;
    server.project("acme").await;
    let mut expiring = Vec::new();
    for _ in Operation::ALL {
        expiring.push(put_to_expire(&server).await.0);
    }
    server.clock.advance(HOUR);
    for state in STATES {
        for operation in Operation::ALL {
            let key = match state {
                State::Expired => expiring.pop().unwrap(),
                _ => put(&server, state).await.0,
            };
            let before = server.get(&key.name).await.unwrap();
            assert_eq!(before.state(), state);
            let Some(after) = outcome(state, operation) else {
                let status = server.refused(operation.run(&server, &key.name, "")).await;
                assert_eq!(reason(&status, Grpc::FailedPrecondition), "STATE_FORBIDS");
                assert_eq!(metadata(&status, "resource").as_ref(), Some(&key.name));
                let reported = format!("STATE_{}", metadata(&status, "state").unwrap());
                assert_eq!(reported, state.as_str_name(), "{operation:?}");
                assert_eq!(server.get(&key.name).await.unwrap(), before);
                continue;
            };
            let done = operation.run(&server, &key.name, "").await.unwrap();
            assert_eq!(done.state(), after, "{operation:?} of {state:?}");
            match server.get(&key.name).await {
                Ok(read) => assert_eq!(read, done),
                Err(_) => assert_eq!(operation, Operation::Purge),
            }
        }
    }
}

#[tokio::test]
async fn each_state_has_its_code() {
    let server = Server::start().await;
    server.project("acme").await;
    let expiring = put_to_expire(&server).await;
    server.clock.advance(HOUR);
    for (state, code) in [
        (State::Active, Code::Valid),
        (State::Disabled, Code::Disabled),
        (State::Revoked, Code::Revoked),
        (State::Expired, Code::Expired),
        (State::Deleted, Code::NotFound),
    ] {
        let (_, api_key) = match state {
            State::Expired => expiring.clone(),
            _ => put(&server, state).await,
        };
        assert_eq!(server.code(&api_key).await, code, "{state:?}");
    }
}

/// A key to which several of these apply is in the first state of DELETED, REVOKED, DISABLED, EXPIRED.
#[tokio::test]
async fn the_state_with_precedence_is_shown() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = put_to_expire(&server).await;
    server.clock.advance(HOUR);
    let steps = [
        (None, State::Expired, Code::Expired),
        (Some(Operation::Disable), State::Disabled, Code::Disabled),
        (Some(Operation::Revoke), State::Revoked, Code::Revoked),
        (Some(Operation::Delete), State::Deleted, Code::NotFound),
        (Some(Operation::Undelete), State::Revoked, Code::Revoked),
    ];
    for (operation, state, code) in steps {
        if let Some(operation) = operation {
            let done = operation.run(&server, &key.name, "").await.unwrap();
            assert_eq!(done.state(), state);
        }
        assert_eq!(server.get(&key.name).await.unwrap().state(), state);
        assert_eq!(server.code(&api_key).await, code);
        let name = state.as_str_name().strip_prefix("STATE_").unwrap();
        let counted = server.count(&format!("state = {name}")).await.unwrap();
        let counts = [
            (State::Disabled, counted.disabled),
            (State::Revoked, counted.revoked),
            (State::Expired, counted.expired),
            (State::Deleted, counted.deleted),
        ];
        for (which, count) in counts {
            assert_eq!(count, i64::from(which == state), "{which:?} while {state:?}");
        }
    }
}
