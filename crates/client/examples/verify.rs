//! What a service does with an API key that it was given: it asks Keystile, and acts on the decision.

use std::{env, error::Error};

use keystile_client::{Client, Credential, Decision, Question};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let endpoint = arguments.next().ok_or("expected the URL of Keystile, and an API key")?;
    let api_key = arguments.next().ok_or("expected an API key")?;

    // The service's own credential: an API key of projects/system.
    let credential = Credential::from_env("CREDENTIAL")?;
    // One client for the whole process: it carries any number of calls at once, and reconnects by itself.
    let keystile = Client::connect(endpoint, credential)?;

    // An error says nothing about the API key: answer 503, and do not admit the request.
    match keystile.verify(Question::new(api_key).environment("production")).await? {
        Decision::Valid(identity) => println!("welcome, {}", identity.display_name),
        Decision::Denied(denial) => println!("{}: {}", denial.http_status, denial.message),
    }
    Ok(())
}
