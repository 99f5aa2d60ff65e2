//! Log lines on stderr (stdout is for what commands print). Fields are dotted: `key.id`, `peer.address`.

use std::io::{IsTerminal, stderr};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging for the whole process. A later call changes nothing.
///
/// `filter` holds levels, such as `info,keystile::store=debug`. Text has colours only on a terminal.
pub fn init(filter: &str, json: bool) {
    let logging = subscriber(filter, json, stderr().is_terminal(), stderr);
    // Fails only if logging has started already.
    let _ = logging.try_init();
}

/// Added to the filter, which may override it: h2 warns of what any client can cause on every connection.
const QUIET: &str = "h2=error";

fn subscriber<W>(filter: &str, json: bool, terminal: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    // On a terminal the layer's own default applies: colours unless NO_COLOR is set.
    let text = || match terminal {
        true => fmt::layer().with_writer(writer.clone()),
        false => fmt::layer().with_writer(writer.clone()).with_ansi(false),
    };
    // `off` must turn h2 off as well.
    let filter = if filter == "off" { filter.to_owned() } else { format!("{QUIET},{filter}") };
    let lines = || fmt::layer().with_writer(writer.clone()).with_ansi(false).json().flatten_event(true);
    tracing_subscriber::registry()
        .with(EnvFilter::new(filter))
        .with(json.then(lines))
        .with((!json).then(text))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("lines").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged under `filter`.
    fn logged(filter: &str, json: bool) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(subscriber(filter, json, false, move || writer.clone()), || {
            tracing::info!(key.id = 7, "key created");
            tracing::debug!("detail");
        });
        let bytes = lines.0.lock().expect("lines").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn json_is_one_flat_object_a_line() {
        let line = logged("info", true);
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.starts_with('{') && line.ends_with("}\n"), "{line}");
        assert!(line.contains(r#""level":"INFO","message":"key created","key.id":7,"#), "{line}");
    }

    #[test]
    fn text_has_no_colours_if_not_on_a_terminal() {
        let line = logged("info", false);
        assert!(line.contains("key created key.id=7") && !line.contains('\u{1b}'), "{line}");
    }

    #[test]
    fn the_level_off_logs_nothing() {
        let lines = Lines::default();
        let writer = lines.clone();
        let logging = subscriber("off", true, false, move || writer.clone());
        tracing::subscriber::with_default(logging, || tracing::error!(target: "h2::proto", "broken"));
        assert!(lines.0.lock().expect("lines").is_empty());
    }

    #[test]
    fn errors_of_dependencies_that_clients_can_cause_are_not_logged_by_default() {
        let logged = |filter: &str| {
            let lines = Lines::default();
            let writer = lines.clone();
            let logging = subscriber(filter, true, false, move || writer.clone());
            tracing::subscriber::with_default(logging, || {
                tracing::warn!(target: "h2::proto", "too many resets");
            });
            let bytes = lines.0.lock().expect("lines").clone();
            bytes.len()
        };
        assert_eq!([logged("debug"), logged("info")], [0, 0]);
        assert!(logged("info,h2=warn") > 0);
    }

    #[test]
    fn the_filter_decides() {
        assert_eq!(logged("debug", false).lines().count(), 2);
        assert_eq!(logged("off", false), "");
    }
}
