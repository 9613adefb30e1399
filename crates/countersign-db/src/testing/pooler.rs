//! The PgBouncer between the tests and their PostgreSQL, configured with so few server connections that any illegal
//! sharing shows.

use std::path::Path;

/// How the tests of a run reach PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// Directly.
    #[default]
    Direct,
    /// Directly, over a slow network.
    Far,
    /// Through a pooler in session mode: a client keeps its server connection until it disconnects.
    SessionPooler,
    /// Through a pooler in transaction mode: each transaction may use another server connection.
    TransactionPooler,
}

impl Reach {
    /// Returns whether there is a pooler.
    pub(super) fn is_pooled(self) -> bool {
        matches!(self, Self::SessionPooler | Self::TransactionPooler)
    }

    /// Returns the parameters to append to an address.
    pub(super) fn parameters(self) -> &'static str {
        match self {
            Self::Direct | Self::Far | Self::SessionPooler => "",
            Self::TransactionPooler => "?pgbouncer=true",
        }
    }
}

/// Returns the settings of a pooler for the server whose socket is in `folder`. It listens on a socket in the subfolder
/// `pooler`, with the same port number, and logs in every client as the server's only user.
pub(super) fn settings(reach: Reach, folder: &Path) -> String {
    let (mode, connections) = match reach {
        Reach::Direct | Reach::Far | Reach::SessionPooler => ("session", 60),
        // Fewer than most clients open.
        Reach::TransactionPooler => ("transaction", 4),
    };
    let folder = folder.display();
    format!(
        "[databases]\n\
         * = host={folder} port=5432 user=postgres\n\
         [pgbouncer]\n\
         pool_mode = {mode}\n\
         default_pool_size = {connections}\n\
         max_user_connections = 150\n\
         max_client_conn = 2000\n\
         server_idle_timeout = 2\n\
         listen_addr =\n\
         listen_port = 5432\n\
         unix_socket_dir = {folder}/pooler\n\
         auth_type = any\n\
         logfile = {folder}/pooler/log\n\
         log_connections = 0\n\
         log_disconnections = 0\n"
    )
}
