//! `keystile serve`: bind, open, serve, stop.

use tracing::{info, warn};

use crate::{
    app::{self, App, Listeners, Stopped, World, raise_limit, reachable},
    config::Config,
};

use super::{Failure, first_start, print, signals};

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let stop = signals::handle()?;
    raise_limit();
    let listeners = Listeners::bind(&config.listen).await?;
    let _claim = app::claim(config)?;
    let Some(app) = stop.run_until_cancelled(App::open(config, World::system())).await else {
        info!("stopped before it served");
        return Ok(());
    };
    let app = app?;
    if let Some(root) = app.first_root_key() {
        let admin = reachable(listeners.admin.local_addr()?);
        let welcome = first_start::welcome(root.api_key.expose(), admin);
        if let Err(error) = print(&welcome) {
            warn!(error = %error, "the root API key could not be printed; `keystile root-key` issues another");
        }
    }
    check(app.serve(listeners, stop.cancelled()).await?)
}

fn check(stopped: Stopped) -> Result<(), Failure> {
    if stopped.is_clean() {
        return Ok(());
    }
    let calls = if stopped.drained {
        "all calls ended"
    } else {
        "calls under way were aborted at the drain deadline (KEYSTILE_DRAIN_DEADLINE)"
    };
    let records =
        if stopped.recorded { "all last-used times are stored" } else { "some last-used times are lost" };
    Err(Failure::new(format!("stopped, but not cleanly: {calls}; {records}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unclean_stop_is_a_failure() {
        for (drained, recorded, clean) in
            [(true, true, true), (false, true, false), (true, false, false), (false, false, false)]
        {
            assert_eq!(check(Stopped { drained, recorded }).is_ok(), clean);
        }
    }
}
