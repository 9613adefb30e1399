//! PostgreSQL over TLS: full verification, client certificates, and refusals.

use std::fs;
use std::path::Path;

use countersign_db::testing::{LoneServer, database_under_test, own_address};
use countersign_db::{Cause, DatabaseKind, Db, PoolPolicy};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), certificate }
    }

    /// Returns a certificate and its key, valid for a host of this name and for a PostgreSQL user of this name.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (parameters.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

async fn cause(url: &str) -> Option<Cause> {
    Db::connect(&url.parse().unwrap(), &PoolPolicy::default())
        .await
        .err()
        .map(|error| error.cause().unwrap_or_else(|| panic!("{error:?}")))
}

#[tokio::test]
async fn a_server_with_tls_is_verified_in_full_and_let_see_who_we_are() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // SQLite is a local file
    }
    let (authority, foreign) = (Authority::new(), Authority::new());
    let address = own_address();
    let (certificate, key) = authority.sign(&address.to_string());
    let who = "local all all trust\n\
               hostssl all certified all cert\n\
               hostssl all ada all scram-sha-256\n";
    let files = [
        ("pg_hba.conf", who),
        ("server.pem", &certificate),
        ("server.key", &key),
        ("authority.pem", &authority.certificate),
    ];
    let settings =
        ["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key", "ssl_ca_file=../authority.pem"];
    let server = LoneServer::on_network(address, &files, &settings);
    server.execute("CREATE ROLE ada LOGIN PASSWORD 'pencil'").await;
    server.execute("CREATE ROLE certified LOGIN").await;

    let folder = tempfile::tempdir().unwrap();
    let root = write(&folder, "root.pem", &authority.certificate);
    let foreign_root = write(&folder, "foreign.pem", &foreign.certificate);
    let (certificate, key) = authority.sign("certified");
    let own = format!("sslcert={}&sslkey={}", write(&folder, "own.pem", &certificate), write(&folder, "own.key", &key));
    let ada = server.network_url("ada:pencil");
    let certified = server.network_url("certified");

    for right in [
        format!("{ada}?sslmode=require&channel_binding=prefer&application_name=ours"),
        format!("{ada}?sslmode=verify-ca&sslrootcert={root}"),
        format!("{ada}?sslmode=verify-full&sslrootcert={root}&connect_timeout=10"),
        format!("{certified}?sslmode=verify-full&sslrootcert={root}&{own}"),
    ] {
        assert_eq!(cause(&right).await, None, "{right}");
    }
    for (wrong, told) in [
        (format!("{ada}?sslmode=verify-full&sslrootcert={foreign_root}"), Cause::ForeignCertificate),
        (format!("{ada}?sslmode=require&sslrootcert={foreign_root}"), Cause::ForeignCertificate),
        (format!("{ada}?sslmode=verify-full"), Cause::ForeignCertificate),
        (format!("{ada}?sslmode=disable"), Cause::EncryptionRequired),
        (format!("{}?sslmode=require", server.network_url("ada:pen")), Cause::Login),
        (format!("{certified}?sslmode=verify-full&sslrootcert={root}"), Cause::CertificateWanted),
        (format!("{ada}?sslmode=require").replace("/postgres?", "/missing?"), Cause::NoDatabase),
    ] {
        assert_eq!(cause(&wrong).await, Some(told), "{wrong}");
    }
    let missing = Path::new("/missing.pem").display();
    let url = format!("{ada}?sslmode=verify-full&sslrootcert={missing}");
    let refused = Db::connect(&url.parse().unwrap(), &PoolPolicy::default()).await.unwrap_err();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert!(source.contains("sslrootcert=/missing.pem: No such file"), "{source}");
}

#[tokio::test]
async fn a_name_that_is_not_the_certificate_s_is_refused_by_a_full_verification_alone() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // SQLite is a local file
    }
    let authority = Authority::new();
    let address = own_address();
    let (certificate, key) = authority.sign("db.example.org");
    let files = [
        ("pg_hba.conf", "local all all trust\nhost all all all trust\n"),
        ("server.pem", &certificate),
        ("server.key", &key),
    ];
    let settings = ["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key"];
    let server = LoneServer::on_network(address, &files, &settings);
    let folder = tempfile::tempdir().unwrap();
    let url = server.network_url("postgres");
    let root = write(&folder, "root.pem", &authority.certificate);
    assert_eq!(cause(&format!("{url}?sslmode=verify-ca&sslrootcert={root}")).await, None);
    let refused = cause(&format!("{url}?sslmode=verify-full&sslrootcert={root}")).await;
    assert_eq!(refused, Some(Cause::ForeignCertificate));
}
