//! Starts nginx with the files of `deploy/nginx` for a test: in a temporary folder, on free ports, with a self-signed
//! certificate. Only paths and addresses of a real machine are replaced in the files.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The name that the configuration is for.
pub(crate) const SITE: &str = "accounts.example.org";

const UPSTREAM: &str = include_str!("../../../deploy/nginx/countersign-upstream.conf");
const SERVERS: &str = include_str!("../../../deploy/nginx/countersign.conf");

/// Configuration of a self-signed certificate for the site; by default `openssl` would make it a CA certificate.
const CERTIFICATE: &str = "[req]\ndistinguished_name=name\nx509_extensions=own\nprompt=no\n[name]\nCN=accounts.example.org\n\
                           [own]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:accounts.example.org\n";

/// A running nginx, killed when dropped.
pub(crate) struct Nginx {
    process: Child,
    folder: TempDir,
    /// The TLS address.
    pub(crate) https: SocketAddr,
    /// The plain HTTP address.
    pub(crate) http: SocketAddr,
}

impl Nginx {
    /// Starts nginx in front of these instances; idle connections to them are kept for `idle_seconds`.
    ///
    /// # Panics
    /// If it cannot be started, or the files lack a text that has to be replaced.
    pub(crate) fn start(instances: &[SocketAddr], idle_seconds: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("nginx-").tempdir().expect("a temporary folder can be made");
        let [https, http] = [free_address(), free_address()];
        certificate(folder.path());
        let servers: Vec<String> =
            instances.iter().map(|address| format!("server {address} max_fails=1 fail_timeout=2s;")).collect();
        let upstream = swap(UPSTREAM, "keepalive_timeout 4s;", &format!("keepalive_timeout {idle_seconds}s;"));
        let upstream = swap(&upstream, "server 127.0.0.1:8001 max_fails=1 fail_timeout=2s;", &servers.join(" "));
        let upstream = swap(&upstream, "server 127.0.0.1:8002 max_fails=1 fail_timeout=2s;", "");
        let upstream = swap(&upstream, "server 127.0.0.1:8003 max_fails=1 fail_timeout=2s;", "");
        let mut site = SERVERS.to_owned();
        for (place, here) in [
            ("listen 80;", format!("listen {http};")),
            ("listen 443 ssl http2;", format!("listen {https} ssl http2;")),
            ("/etc/letsencrypt/live/accounts.example.org/fullchain.pem", "certificate.pem".to_owned()),
            ("/etc/letsencrypt/live/accounts.example.org/privkey.pem", "key.pem".to_owned()),
            ("/var/cache/nginx/countersign ", "cache ".to_owned()),
            ("/var/log/nginx/countersign.log", "access.log".to_owned()),
        ] {
            site = swap(&site, place, &here);
        }
        for (name, text) in [("upstream.conf", &upstream), ("site.conf", &site), ("nginx.conf", &main_file())] {
            fs::write(folder.path().join(name), text).expect("our own folder");
        }
        let program = program("nginx");
        let process = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("stderr")).expect("our own folder"))
            .spawn()
            .expect("nginx can be run");
        let nginx = Self { process, folder, https, http };
        nginx.wait_until_ready();
        nginx
    }

    fn wait_until_ready(&self) {
        let begun = std::time::Instant::now();
        while std::net::TcpStream::connect(self.https).is_err() {
            assert!(begun.elapsed().as_secs() < 30, "nginx does not listen: {}", self.errors());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Its error output and error log.
    pub(crate) fn errors(&self) -> String {
        ["stderr", "error.log"]
            .map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .concat()
    }

    /// Its access log.
    pub(crate) fn requests(&self) -> String {
        fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }

    /// The certificate that clients must trust.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the workers end, too.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// The main configuration, which belongs to the machine and not to the site.
fn main_file() -> String {
    // Started by root, the workers would run as another user, who cannot enter the folder.
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let user = if is_root { "user root;" } else { "" };
    format!(
        "daemon off; {user} worker_processes 2; pid nginx.pid; error_log error.log info;\n\
         events {{ worker_connections 512; }}\n\
         http {{ client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n\
         scgi_temp_path scgi; include upstream.conf; include site.conf; }}\n"
    )
}

fn certificate(folder: &Path) {
    fs::write(folder.join("openssl.cnf"), CERTIFICATE).expect("our own folder");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-config", "openssl.cnf", "-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()
        .expect("openssl can be run");
    assert!(made.success(), "openssl made no certificate");
}

/// Finds the program; Debian installs it in a folder for administrators.
fn program(name: &str) -> PathBuf {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"]
        .map(|folder| Path::new(folder).join(name))
        .into_iter()
        .find(|path| path.exists())
        .expect("nginx is needed: run `scripts/test`, or install the package `nginx-light`")
}

fn swap(text: &str, place: &str, here: &str) -> String {
    assert!(text.contains(place), "the file does not say {place:?} any more");
    text.replace(place, here)
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free")
}
