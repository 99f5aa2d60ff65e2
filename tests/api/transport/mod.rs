//! Clients that misbehave at the level of the connection: others are still served.

mod answers;
mod entries;
mod floods;
mod large;
mod public;
mod slow;
mod stop;
mod strangers;
mod unread;

use std::time::Duration;

use proto::Code;
use testkit::server::Server;
use tokio::time::timeout;

/// A path that needs a credential.
const VERIFY: &str = "/keystile.v1.VerifyService/Verify";

/// A generous limit: only a server that hangs takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks that a well-behaved client gets a response on a connection of its own.
async fn assert_others_are_served(server: &Server) {
    let answer = timeout(PATIENCE, server.code(&server.root)).await;
    assert_eq!(answer.expect("the server hangs"), Code::Valid);
}
