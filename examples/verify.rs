//! What a service does with an API key that it was given: it asks Keystile, and acts on the decision.

use std::{env, error::Error, time::Duration};

use proto::{Code, VerifyRequest, verify_service_client::VerifyServiceClient};
use tonic::{Request, metadata::AsciiMetadataValue, transport::Endpoint};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The service's own credential: an API key of projects/system.
    let credential: AsciiMetadataValue = format!("Bearer {}", env::var("CREDENTIAL")?).parse()?;
    // One channel for the whole process; it carries any number of calls at once, and connects again by itself.
    let channel =
        Endpoint::from_static("http://127.0.0.1:50051").timeout(Duration::from_secs(1)).connect_lazy();
    let mut keystile = VerifyServiceClient::with_interceptor(channel, move |mut call: Request<()>| {
        call.metadata_mut().insert("authorization", credential.clone());
        Ok(call)
    });

    let question = VerifyRequest {
        api_key: env::args().nth(1).ok_or("give me an API key")?,
        environment: "production".into(),
        ..Default::default()
    };
    // An error says nothing about the API key: answer 503, and let nobody in.
    let decision = keystile.verify(question).await?.into_inner();
    match decision.code() {
        Code::Valid => println!("welcome, {}", decision.display_name),
        _ => println!("{}: {}", decision.http_status, decision.message),
    }
    Ok(())
}
