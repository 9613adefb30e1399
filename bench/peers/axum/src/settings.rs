//! Settings from the environment.

use std::env;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;

pub(crate) struct Settings {
    pub(crate) port: u16,
    pub(crate) database_url: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) secret_key: String,
    pub(crate) engine: Engine,
    pub(crate) argon2_memory_kib: u32,
    pub(crate) argon2_iterations: u32,
    pub(crate) argon2_lanes: u32,
}

/// The crate that hashes.
#[derive(Clone, Copy)]
pub(crate) enum Engine {
    Argon2,
    Argon2Rust,
}

impl FromStr for Engine {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "argon2" => Ok(Self::Argon2),
            "argon2-rust" => Ok(Self::Argon2Rust),
            _ => anyhow::bail!("there are `argon2` and `argon2-rust`"),
        }
    }
}

impl Settings {
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            port: required("PORT")?.parse().context("PORT")?,
            database_url: required("DATABASE_URL")?,
            data_dir: required("DATA_DIR")?.into(),
            secret_key: required("SECRET_KEY")?,
            engine: optional("ARGON2_ENGINE", Engine::Argon2)?,
            argon2_memory_kib: optional("ARGON2_MEMORY_KIB", 65_536)?,
            argon2_iterations: optional("ARGON2_ITERATIONS", 3)?,
            argon2_lanes: optional("ARGON2_LANES", 4)?,
        })
    }
}

fn required(name: &'static str) -> anyhow::Result<String> {
    env::var(name).context(name)
}

fn optional<T>(name: &'static str, default: T) -> anyhow::Result<T>
where
    T: FromStr<Err: Into<anyhow::Error>>,
{
    match env::var(name) {
        Ok(text) => text.parse().map_err(Into::into).context(name),
        Err(_) => Ok(default),
    }
}
