//! A web service that only valid API keys get into.

use std::{env, error::Error, sync::Arc};

use axum::{Extension, Router, routing::get};
use keystile_client::{Client, Credential, Guard, Identity};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let endpoint = arguments.next().ok_or("expected the URL of Keystile, and an address to listen on")?;
    let listen = arguments.next().ok_or("expected an address to listen on")?;

    let keystile = Client::connect(endpoint, Credential::from_env("CREDENTIAL")?)?;
    let routes = Router::new().route("/", get(hello)).layer(Guard::new(keystile).environment("production"));

    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn hello(Extension(identity): Extension<Arc<Identity>>) -> String {
    format!("welcome, {}\n", identity.display_name)
}
