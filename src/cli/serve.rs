//! `keystile serve`: bind, open, serve, stop.

use std::pin::pin;

use tracing::{info, warn};

use crate::{
    app::{self, App, Listeners, Stopped, World, raise_limit, reachable},
    config::Config,
};

use super::{Failure, first_start, print, signals};

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let mut shutdown = pin!(signals::first()?);
    raise_limit();
    let listeners = Listeners::bind(&config.listen).await?;
    let _claim = app::claim(config)?;
    let app = tokio::select! {
        biased;
        () = shutdown.as_mut() => {
            info!("stopped before it served");
            return Ok(());
        }
        opened = App::open(config, World::system()) => opened?,
    };
    if let Some(root) = app.first_root_key() {
        let admin = reachable(listeners.admin.local_addr()?);
        let welcome = first_start::welcome(root.api_key.expose(), admin);
        if let Err(error) = print(&welcome) {
            warn!(error = %error, "the root API key could not be printed; `keystile root-key` mints another");
        }
    }
    told(app.serve(listeners, shutdown).await?)
}

fn told(stopped: Stopped) -> Result<(), Failure> {
    if stopped.is_clean() {
        return Ok(());
    }
    let calls = if stopped.drained {
        "every call under way ended"
    } else {
        "calls under way were cut off at the drain deadline (KEYSTILE_DRAIN_DEADLINE)"
    };
    let notes =
        if stopped.recorded { "every last-used time is stored" } else { "some last-used times are lost" };
    Err(Failure::new(format!("stopped, but not cleanly: {calls}; {notes}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unclean_stop_is_a_failure() {
        for (drained, recorded, clean) in
            [(true, true, true), (false, true, false), (true, false, false), (false, false, false)]
        {
            assert_eq!(told(Stopped { drained, recorded }).is_ok(), clean);
        }
    }
}
