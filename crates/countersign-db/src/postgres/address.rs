//! PostgreSQL addresses in their common form. Every parameter is either honoured or refused by name, because ignoring
//! one could silently weaken protection.

use std::str::FromStr as _;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::Pooler;

/// A parsed address.
#[derive(Clone)]
pub(crate) struct PostgresAddress {
    options: PgConnectOptions,
    pub(super) pooler: Pooler,
    /// The time limit for opening one connection.
    pub(super) connect_time_max: Option<Duration>,
    /// Parameters that name files, and the files.
    files: Vec<(&'static str, String)>,
}

const MANY_HOSTS: &str = "several hosts are not supported; name one that leads to the server which takes writes, as a pooler or a proxy does";
const BARE_HASH: &str = "a `#` is written as %23 in an address";
const OPTIONS_AND_POOLER: &str = "a pooler in transaction mode takes no startup options, also not by PGOPTIONS; set them at the \
                                  server, by ALTER ROLE … SET …";
const CHANNEL_BINDING: &str = "channel_binding=require cannot be met by this program; leave it out and use \
                               sslmode=verify-full, with which nobody can stand in between either";

impl PostgresAddress {
    /// Parses an address.
    ///
    /// # Errors
    /// The reason for the refusal. It repeats parameter names, never values.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.contains('#') {
            return Err(BARE_HASH.to_owned());
        }
        let (place, list) = text.split_once('?').unwrap_or((text, ""));
        // Several hosts with ports would otherwise be reported as an invalid port.
        let hosts = place.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit('@').next());
        if hosts.is_some_and(|hosts| hosts.contains(',')) {
            return Err(MANY_HOSTS.to_owned());
        }
        let mut parameters = Parameters::default();
        for parameter in list.split('&').filter(|parameter| !parameter.is_empty()) {
            parameters.take(parameter)?;
        }
        let Parameters { for_driver, pooler, connect_time_max, ssl_mode, files, .. } = &parameters;
        let driver = |extra: &str| {
            let parsed = PgConnectOptions::from_str(&format!("{place}?{extra}{}", for_driver.join("&")));
            parsed.map_err(|_| "not a PostgreSQL address".to_owned())
        };
        let mut options = driver("")?;
        // The driver takes the brackets of an IPv6 address as part of a host name.
        if let Some(address) = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            options = driver(&format!("hostaddr={address}&"))?;
        }
        if options.get_host().contains(',') {
            return Err(MANY_HOSTS.to_owned());
        }
        let ssl_mode = ssl_mode.unwrap_or_else(|| options.get_ssl_mode());
        let options = options.ssl_mode(parameters.settled(ssl_mode)?);
        let mut address = Self { options, pooler: *pooler, connect_time_max: *connect_time_max, files: files.clone() };
        if *pooler == Pooler::Transaction {
            address = address.behind(Pooler::Transaction)?;
        }
        Ok(address)
    }

    /// Returns the same database, reached through this kind of pooler.
    ///
    /// # Errors
    /// The reason for the refusal.
    pub(crate) fn behind(mut self, pooler: Pooler) -> Result<Self, String> {
        if pooler == Pooler::Transaction && self.options.get_options().is_some() {
            return Err(OPTIONS_AND_POOLER.to_owned());
        }
        self.pooler = pooler;
        Ok(self)
    }

    pub(crate) fn pooler(&self) -> Pooler {
        self.pooler
    }

    pub(super) fn connect_options(&self) -> PgConnectOptions {
        // Poolers refuse `extra_float_digits` at startup. It only affects numbers in text form, and ours are binary.
        let options = self.options.clone().extra_float_digits(None).disable_statement_logging();
        match self.pooler {
            Pooler::Session => options,
            Pooler::Transaction => options.statement_cache_capacity(0),
        }
    }

    /// Checks that the files named in the address exist, because the driver's error does not name the missing one.
    pub(super) async fn check_files(&self) -> Result<(), sqlx::Error> {
        for (name, file) in &self.files {
            if let Err(error) = tokio::fs::read(file).await {
                return Err(sqlx::Error::Configuration(format!("{name}={file}: {error}").into()));
            }
        }
        Ok(())
    }
}

/// The parsed parameters of an address.
#[derive(Default)]
struct Parameters<'t> {
    /// Passed to the driver as written.
    for_driver: Vec<&'t str>,
    pooler: Pooler,
    connect_time_max: Option<Duration>,
    ssl_mode: Option<PgSslMode>,
    has_authority: bool,
    has_certificate: bool,
    has_key: bool,
    files: Vec<(&'static str, String)>,
}

impl<'t> Parameters<'t> {
    fn take(&mut self, parameter: &'t str) -> Result<(), String> {
        let (name, value) = parameter.split_once('=').ok_or("a parameter has no value")?;
        let one_of = |accepted: &[&str]| {
            let known = accepted.iter().any(|one| one.eq_ignore_ascii_case(value));
            if known { Ok(()) } else { Err(format!("of `{name}` only {} is supported", accepted.join(" or "))) }
        };
        match name {
            "host"
            | "hostaddr"
            | "port"
            | "dbname"
            | "user"
            | "password"
            | "application_name"
            | "options"
            | "statement-cache-capacity" => self.for_driver.push(parameter),
            _ if name.starts_with("options[") => self.for_driver.push(parameter),
            "sslmode" | "ssl-mode" => {
                let mode = value.parse();
                self.ssl_mode = Some(
                    mode.map_err(|_| "sslmode takes disable, prefer, require, verify-ca or verify-full".to_owned())?,
                );
            }
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => {
                self.has_authority = true;
                // The driver uses the Web's certificate authorities by default.
                if value != "system" {
                    self.take_file("sslrootcert", parameter, value);
                }
            }
            "sslcert" | "ssl-cert" => {
                self.has_certificate = true;
                self.take_file("sslcert", parameter, value);
            }
            "sslkey" | "ssl-key" => {
                self.has_key = true;
                self.take_file("sslkey", parameter, value);
            }
            "pgbouncer" => {
                one_of(&["true", "false"])?;
                if value.eq_ignore_ascii_case("true") {
                    self.pooler = Pooler::Transaction;
                }
            }
            "connect_timeout" => {
                let seconds: u32 = value.parse().map_err(|_| "connect_timeout takes whole seconds".to_owned())?;
                self.connect_time_max = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
            }
            "channel_binding" if value.eq_ignore_ascii_case("require") => return Err(CHANNEL_BINDING.to_owned()),
            "channel_binding" | "gssencmode" => one_of(&["disable", "prefer"])?,
            "client_encoding" => one_of(&["UTF8", "UTF-8", "auto"])?,
            // A read-only server is always refused, whatever this parameter says.
            "target_session_attrs" => one_of(&["read-write", "primary", "any"])?,
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn take_file(&mut self, name: &'static str, parameter: &'t str, value: &str) {
        self.for_driver.push(parameter);
        let file = percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned();
        // The parameter may hold the certificate itself.
        if !file.contains("-----BEGIN") {
            self.files.push((name, file));
        }
    }

    /// Returns the TLS mode after checking the parameters that depend on each other.
    fn settled(&self, mode: PgSslMode) -> Result<PgSslMode, String> {
        if self.has_certificate != self.has_key {
            return Err("sslcert and sslkey go together".to_owned());
        }
        match mode {
            PgSslMode::VerifyCa | PgSslMode::VerifyFull => Ok(mode),
            // As in other programs: if an authority is given, it is used for verification.
            PgSslMode::Require if self.has_authority => Ok(PgSslMode::VerifyCa),
            _ if self.has_authority => Err("sslrootcert is looked at with sslmode=verify-full alone".to_owned()),
            // Allow tries plain text first and TLS if that is refused. The reverse order works as well, and is better
            // protected.
            PgSslMode::Allow => Ok(PgSslMode::Prefer),
            PgSslMode::Disable | PgSslMode::Prefer | PgSslMode::Require => Ok(mode),
        }
    }
}

/// Repeats the parameter only if it looks like a name: it may be the rest of a password that contains a `?`.
fn unknown(name: &str) -> String {
    const NAME_LENGTH_MAX: usize = 40;
    let is_name = name.len() <= NAME_LENGTH_MAX && name.chars().all(|c| c.is_ascii_lowercase() || "_-".contains(c));
    if is_name { format!("the parameter `{name}` is not supported") } else { "a parameter is not supported".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::PostgresAddress;

    #[test]
    fn hosts_are_found_however_they_are_written() {
        for (url, host, port) in [
            ("postgres://ada@[::1]:6432/app", "::1", 6432),
            ("postgres://ada@[2001:db8::7]/app?sslmode=require", "2001:db8::7", 5432),
            ("postgres://ada@127.0.0.1/app", "127.0.0.1", 5432),
            ("postgres://ada@db.example.org/app", "db.example.org", 5432),
            ("postgres:///app?host=db.example.org&port=6432", "db.example.org", 6432),
            ("postgres://ada@[::1]/app?hostaddr=::2", "::2", 5432),
        ] {
            let options = PostgresAddress::parse(url).unwrap().connect_options();
            assert_eq!((options.get_host(), options.get_port()), (host, port), "{url}");
        }
        for url in ["postgres://ada@%2Frun%2Fpostgresql/app", "postgres:///app?host=/run/postgresql"] {
            let options = PostgresAddress::parse(url).unwrap().connect_options();
            assert_eq!(
                options.get_socket().unwrap().to_str().unwrap().trim_end_matches('/'),
                "/run/postgresql",
                "{url}"
            );
        }
    }
}
