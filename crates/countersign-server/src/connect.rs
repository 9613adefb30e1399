//! Opens the database for a command, and says what to do if that fails.

use countersign_db::{Cause, DatabaseUrl, Db, DbError, PoolPolicy};

use crate::failure::Failure;

pub(crate) async fn connect(url: &DatabaseUrl, policy: &PoolPolicy) -> Result<Db, Failure> {
    Db::connect(url, policy).await.map_err(|error| Failure(format!("{url}: {}", with_remedy(&error))))
}

/// Describes the error and a remedy.
pub(crate) fn with_remedy(error: &DbError) -> String {
    let Failure(reason) = Failure::of(error);
    match error.cause() {
        Some(Cause::TransactionPooler) => reason, // the error contains the remedy
        Some(cause) => format!("{reason}; {}", remedy(cause)),
        None => format!("{reason}; check DATABASE_URL and that the server is running"),
    }
}

fn remedy(cause: Cause) -> &'static str {
    match cause {
        Cause::Login => "check the user and the password in DATABASE_URL, and the server's access rules (pg_hba.conf)",
        Cause::NoDatabase => {
            "create the database on the server, such as with `createdb`, or check its name in DATABASE_URL"
        }
        Cause::EncryptionRequired => {
            "the server requires TLS: add sslmode=require to DATABASE_URL, or better sslmode=verify-full"
        }
        Cause::NoEncryption => {
            "enable TLS on the server, or remove sslmode from DATABASE_URL if the network is trusted"
        }
        Cause::ForeignCertificate => {
            "set the host in DATABASE_URL to the name in the server's certificate, and sslrootcert to its CA's certificate"
        }
        Cause::CertificateWanted => {
            "set sslcert and sslkey in DATABASE_URL to a client certificate that the server trusts"
        }
        Cause::ReadOnly => {
            "it is read-only, such as a standby or a protected file; set DATABASE_URL to a writable one, or let the user \
             that runs this program write the file and its folder"
        }
        Cause::CannotOpen => {
            "let the user that runs this program read and write the file and its folder, or check DATABASE_URL"
        }
        Cause::Damaged => "check DATABASE_URL; if it names the right file, restore a backup",
        Cause::DiskFull => "free space on the disk of the database",
        Cause::TooManyConnections => "lower DATABASE_CONNECTIONS_MAX, or raise the limit of the server or the pooler",
        _ => "check DATABASE_URL and that the server is running",
    }
}
