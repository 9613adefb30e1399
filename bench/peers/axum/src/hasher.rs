//! Password hashing on a thread for blocking work, by one of two crates with their defaults.

use anyhow::anyhow;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::task::spawn_blocking;

use crate::settings::{Engine, Settings};

#[derive(Clone)]
pub(crate) enum Hasher {
    Argon2(argon2::Argon2<'static>),
    Argon2Rust(argon2_rust::Argon2),
}

impl Hasher {
    pub(crate) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (m, t, p) = (settings.argon2_memory_kib, settings.argon2_iterations, settings.argon2_lanes);
        Ok(match settings.engine {
            Engine::Argon2 => {
                let params = argon2::Params::new(m, t, p, None).map_err(|error| anyhow!("{error}"))?;
                Self::Argon2(argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params))
            }
            Engine::Argon2Rust => {
                let memory = argon2_rust::params::Memory::kib(m.into());
                let params = argon2_rust::Params::builder().memory(memory).passes(t).lanes(p).build();
                let params = params.map_err(|error| anyhow!("{error}"))?;
                let (algorithm, version) = (argon2_rust::Algorithm::Argon2id, argon2_rust::Version::V0x13);
                Self::Argon2Rust(argon2_rust::Argon2::new(algorithm, version, params))
            }
        })
    }

    pub(crate) async fn hash(&self, password: String) -> anyhow::Result<String> {
        let hasher = self.clone();
        spawn_blocking(move || match hasher {
            Self::Argon2(argon2) => {
                let hash = argon2.hash_password(password.as_bytes()).map_err(|error| anyhow!("{error}"))?;
                Ok(hash.to_string())
            }
            Self::Argon2Rust(argon2) => {
                argon2.hash_password_with_random_salt(password.as_bytes()).map_err(|error| anyhow!("{error}"))
            }
        })
        .await?
    }

    pub(crate) async fn verify(&self, password: String, hash: String) -> anyhow::Result<bool> {
        let hasher = self.clone();
        spawn_blocking(move || match hasher {
            Self::Argon2(argon2) => {
                let hash = PasswordHash::new(&hash).map_err(|error| anyhow!("{error}"))?;
                match argon2.verify_password(password.as_bytes(), &hash) {
                    Ok(()) => Ok(true),
                    Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                    Err(error) => Err(anyhow!("{error}")),
                }
            }
            Self::Argon2Rust(_) => {
                let algorithm = argon2_rust::Algorithm::Argon2id;
                match argon2_rust::Argon2::verify_password(&hash, password.as_bytes(), algorithm) {
                    Ok(()) => Ok(true),
                    Err(argon2_rust::Error::VerifyMismatch) => Ok(false),
                    Err(error) => Err(anyhow!("{error}")),
                }
            }
        })
        .await?
    }
}
