//! `keystile root-key`: issues a new root API key, which is all that stdout gets.

use crate::{
    app::{App, World},
    config::Config,
};

use super::{Failure, print};

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let mut app = App::open(config, World::system()).await?;
    let root = app.fresh_root_key().await?;
    app.close().await;
    Ok(print(&format!("{}\n", root.api_key.expose()))?)
}
