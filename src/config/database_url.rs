//! Addresses of databases; no `Debug`, `Display` or fault shows a password.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// The address of a PostgreSQL or MySQL server. Shown with the password and the parameters masked.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    url: Zeroizing<String>,
    /// What may be shown.
    masked: String,
}

impl ServerUrl {
    /// The whole address with its password, for the driver only.
    pub fn expose(&self) -> &str {
        &self.url
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or(SCHEMES)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => "postgres",
            "mysql" | "mariadb" => "mysql",
            _ => return Err(SCHEMES.to_owned()),
        };
        if rest.chars().any(|c| c == '#' || c == '\\' || c.is_whitespace() || c.is_control()) {
            return Err(format!("has a space, `#` or `\\` in it: {ENCODE}"));
        }
        let (address, parameters) = rest.split_once('?').map_or((rest, None), |(a, p)| (a, Some(p)));
        let (authority, database) = address.split_once('/').unwrap_or((address, ""));
        // A password with a bare `/` or `?` would end the authority early, and its tail would pass for a harmless part.
        if rest[authority.len()..].contains('@') {
            return Err(format!("has an `@` behind the host: {ENCODE}"));
        }
        let (credentials, host) = authority.rsplit_once('@').map_or((None, authority), |(c, h)| (Some(c), h));
        check_host(host, parameters)?;
        if database.is_empty() || database.contains('/') {
            return Err("names no database: end it with `/` and the database's name".to_owned());
        }
        let credentials = match credentials.map(|credentials| credentials.split_once(':')) {
            None => String::new(),
            Some(Some((user, _))) => format!("{user}:***@"),
            Some(None) => format!("{}@", credentials.unwrap_or_default()),
        };
        let parameters = if parameters.is_some() { "?***" } else { "" };
        Ok(Self {
            url: Zeroizing::new(format!("{scheme}://{rest}")),
            masked: format!("{scheme}://{credentials}{host}/{database}{parameters}"),
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerUrl({})", self.masked)
    }
}

/// The file of a `sqlite://` address; `None` for other schemes. The path is used without decoding.
pub(super) fn sqlite_file(text: &str) -> Option<Result<PathBuf, String>> {
    let (scheme, path) = text.split_once("://")?;
    scheme.eq_ignore_ascii_case("sqlite").then(|| match path {
        "" => Err("names no file: write sqlite:///var/lib/keystile/keystile.db".to_owned()),
        _ if path.starts_with(":memory:") => Err("would lose every key at the end: name a file".to_owned()),
        _ if path.contains('?') => {
            Err("has parameters: Keystile sets its own, so end it with the file's name".to_owned())
        }
        _ => Ok(PathBuf::from(path)),
    })
}

const SCHEMES: &str = "must begin with sqlite://, postgres://, postgresql://, mysql:// or mariadb://";
const ENCODE: &str = "percent-encode special characters of the user name and password, such as %40 for `@`";

fn check_host(host: &str, parameters: Option<&str>) -> Result<(), String> {
    // The port is after the last colon that is not part of an IPv6 address in brackets.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        // The text is not quoted: without an `@`, it may be a password.
        return Err(
            "has no valid port behind its host: write postgres://user:password@host:5432/database".to_owned()
        );
    }
    let socket =
        |parameters: &str| parameters.split('&').any(|p| p.starts_with("host=") || p.starts_with("socket="));
    if name.is_empty() && !parameters.is_some_and(socket) {
        return Err("names no host: write postgres://user:password@host:5432/database".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_driver_gets_the_password() {
        let url = ServerUrl::parse("postgres://ann:hunter2@db:5432/keys?password=hunter2").expect("a url");
        assert_eq!(url.expose(), "postgres://ann:hunter2@db:5432/keys?password=hunter2");
        assert_eq!(url.to_string(), "postgres://ann:***@db:5432/keys?***");
        assert_eq!(format!("{url:?}"), "ServerUrl(postgres://ann:***@db:5432/keys?***)");
    }

    #[test]
    fn schemes_have_aliases() {
        for (given, exposed) in [
            ("postgresql://db/keys", "postgres://db/keys"),
            ("mariadb://ann@db/keys", "mysql://ann@db/keys"),
            ("MySQL://[::1]:3306/keys", "mysql://[::1]:3306/keys"),
            ("postgres:///keys?host=/run/postgresql", "postgres:///keys?host=/run/postgresql"),
            ("postgres://ann:a@b@db/keys", "postgres://ann:a@b@db/keys"),
        ] {
            assert_eq!(ServerUrl::parse(given).expect("a url").expose(), exposed);
        }
        assert_eq!(
            ServerUrl::parse("mysql://a:hunter2@x@db/k").expect("a url").to_string(),
            "mysql://a:***@db/k"
        );
    }

    #[test]
    fn a_fault_says_what_is_expected_and_never_quotes_the_url() {
        for (wrong, message) in [
            ("hunter2", "must begin with sqlite://"),
            ("oracle://ann:hunter2@db/keys", "must begin with sqlite://"),
            ("postgres://ann:hun#hunter2@db/keys", "percent-encode"),
            ("postgres://ann:hun hunter2@db/keys", "percent-encode"),
            ("postgres://ann:1/hunter2@db/keys", "percent-encode"),
            ("postgres://ann:1?hunter2@db/keys", "percent-encode"),
            ("postgres://ann:hunter2/keys", "no valid port"),
            ("postgres://ann:hunter2@db:70000/keys", "no valid port"),
            ("postgres://ann:hunter2@/keys", "names no host"),
            ("postgres://ann:hunter2@db", "names no database"),
            ("postgres://ann:hunter2@db/", "names no database"),
            ("postgres://ann:hunter2@db/keys/more", "names no database"),
        ] {
            let fault = ServerUrl::parse(wrong).expect_err(wrong);
            assert!(fault.contains(message), "{wrong}: {fault}");
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn sqlite_names_a_file() {
        assert_eq!(sqlite_file("postgres://db/keys"), None);
        assert_eq!(sqlite_file("sqlite:///var/k.db"), Some(Ok(PathBuf::from("/var/k.db"))));
        assert_eq!(sqlite_file("sqlite://k.db"), Some(Ok(PathBuf::from("k.db"))));
        for (wrong, message) in [
            ("sqlite://", "names no file"),
            ("sqlite://:memory:", "would lose every key"),
            ("sqlite://k.db?mode=rwc", "has parameters"),
        ] {
            assert!(sqlite_file(wrong).expect("sqlite").expect_err(wrong).contains(message), "{wrong}");
        }
    }
}
