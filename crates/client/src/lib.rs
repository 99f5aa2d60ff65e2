//! A client for Keystile: asks about API keys, and guards services with them.
//!
//! # One question
//!
//! ```no_run
//! use keystile_client::{Client, Credential, Decision, Question};
//!
//! # async fn answer(api_key: String) -> Result<(), Box<dyn std::error::Error>> {
//! let credential = Credential::from_env("KEYSTILE_CREDENTIAL")?;
//! let keystile = Client::connect("http://127.0.0.1:50051", credential)?;
//! match keystile.verify(Question::new(api_key).environment("production")).await? {
//!     Decision::Valid(identity) => println!("welcome, {}", identity.display_name),
//!     Decision::Denied(denial) => println!("{}: {}", denial.http_status, denial.message),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A denial is an answer. An [`Error`] means that there is no answer: do not admit the request.
//!
//! # Every request of a service
//!
//! [`Guard`] is a tower layer for axum, tonic and everything else over `http::Request`:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use axum::{Extension, Router, routing::get};
//! use keystile_client::{Client, Guard, Identity};
//!
//! # fn routes(keystile: Client) {
//! let routes: Router = Router::new()
//!     .route("/", get(|Extension(identity): Extension<Arc<Identity>>| async move { identity.key.clone() }))
//!     .layer(Guard::new(keystile).environment("production"));
//! # }
//! ```
//!
//! # Very many questions
//!
//! [`Client::stream`] asks over one stream, which carries a multiple of what single calls do. [`Client::verify_batch`]
//! asks about many API keys at once.
//!
//! ```no_run
//! # async fn ask(keystile: keystile_client::Client, keys: Vec<String>) {
//! use keystile_client::Question;
//!
//! let stream = keystile.stream();
//! for key in keys {
//!     let stream = stream.clone();
//!     tokio::spawn(async move { stream.verify(Question::new(key)).await });
//! }
//! # }
//! ```

#![warn(missing_docs)]

mod attempt;
mod authorized;
mod batch;
mod builder;
mod calls;
mod client;
mod code;
mod credential;
mod deadline;
mod decision;
mod error;
mod guard;
mod nodes;
mod question;
mod retry;
mod stream;
mod verify;

pub use builder::{BuildError, Builder};
pub use client::Client;
pub use code::DenialCode;
pub use credential::{Credential, CredentialError};
pub use decision::{Basis, Decision, Denial, Identity};
pub use error::{Error, ErrorKind, Violation};
pub use guard::{ClientAddress, Guard, Guarded, KeySource};
pub use question::Question;
pub use stream::VerifyStream;
/// Where Keystile is: made from a URL, or by hand for TLS and other options of the connection.
pub use tonic::transport::Endpoint;
pub use verify::Verify;
