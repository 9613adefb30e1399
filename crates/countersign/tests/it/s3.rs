//! A third-party S3 server on a temporary folder, which verifies request signatures.

use std::path::PathBuf;

use countersign::config::{Addressing, BucketCredentials, BucketPolicy};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) const BUCKET: &str = "pictures";
pub(crate) const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_KEY: &str = "a secret key of forty characters or more";

/// A running server, stopped when dropped.
pub(crate) struct S3Server {
    endpoint_url: String,
    folder: TempDir,
    _connections: JoinSet<()>,
}

impl S3Server {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint_url = format!("http://{}", listener.local_addr().unwrap());
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                open.spawn(async move {
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { endpoint_url, folder, _connections: connections }
    }

    /// The policy to reach it.
    pub(crate) fn policy(&self) -> BucketPolicy {
        policy(&self.endpoint_url, SECRET_KEY)
    }

    /// The same with a wrong secret.
    pub(crate) fn policy_of_a_stranger(&self) -> BucketPolicy {
        policy(&self.endpoint_url, "another secret")
    }

    /// The folder of its pictures.
    pub(crate) fn pictures_folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET).join("profile_pics")
    }
}

/// A policy for an endpoint where nothing listens: a port that was free a moment ago.
pub(crate) async fn nobody() -> BucketPolicy {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    policy(&format!("http://{address}"), SECRET_KEY)
}

fn policy(endpoint_url: &str, secret: &str) -> BucketPolicy {
    let mut policy = BucketPolicy::new(BUCKET, "us-east-1");
    policy.credentials = Some(BucketCredentials::new(SecretString::from(ACCESS_KEY), SecretString::from(secret)));
    policy.endpoint_url = Some(endpoint_url.to_owned());
    policy.addressing = Addressing::Path;
    policy
}
