//! The client prints no secret.

use client::{Credential, Guard, Question};

use crate::{builder, client_of, new_key, relay::Relay, started, url};

/// The secret and the checksum of an API key; the text before them is public.
fn secret(api_key: &str) -> &str {
    &api_key[api_key.len() - 50..]
}

#[tokio::test]
async fn no_debug_or_display_shows_a_secret() {
    let (server, client) = started().await;
    let (_, api_key) = new_key(&server).await;
    let relay = Relay::to(server.verify).await;
    let lost = client_of(&server, relay.address);
    relay.close();

    let question = Question::new(&api_key).customer("c1").environment("production");
    let mut shown = format!("{question:?} {client:?} {:?}", client.stream());
    shown += &format!("{:?} {:?}", Credential::new(&server.root), builder(&server.root));
    shown += &format!("{:?}", builder(&server.root).endpoint(url(server.verify)));
    shown += &format!("{:?}", Guard::new(client.clone()).environment("production"));
    shown += &format!("{:?}", client.verify(question.clone()).await);
    let refused = client.verify(question.clone().customer("two words")).await.unwrap_err();
    let unreachable = lost.verify(question.clone()).await.unwrap_err();
    let not_ours = builder(&api_key).endpoint(url(server.verify)).connect().unwrap();
    let credential = not_ours.verify(question).await.unwrap_err();
    for error in [refused, unreachable, credential] {
        shown += &format!("{error} {error:?}");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            shown += &format!("{error} {error:?}");
            source = error.source();
        }
    }
    for text in [secret(&api_key), secret(&server.root)] {
        assert!(!shown.contains(text), "{shown}");
    }
}
