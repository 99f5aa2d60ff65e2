//! `keystile healthcheck`: checks whether the server with these settings is ready.

use crate::{app, config::Config};

use super::Failure;

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    app::check_health(&config.listen).await?;
    eprintln!("keystile: ready");
    Ok(())
}
