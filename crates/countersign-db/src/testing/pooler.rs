//! The PgBouncer that may stand between the tests and their PostgreSQL, and how it is set up: so small that what must not be
//! shared would be.

use std::path::Path;

/// How the tests of a run reach PostgreSQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// The server itself.
    #[default]
    Direct,
    /// The server itself, over a slow network.
    Far,
    /// Through a pooler that gives each client a connection to the server for as long as it stays.
    SessionPooler,
    /// Through a pooler that gives each transaction another one.
    TransactionPooler,
}

impl Reach {
    /// Whether there is a pooler.
    pub(super) fn is_pooled(self) -> bool {
        matches!(self, Self::SessionPooler | Self::TransactionPooler)
    }

    /// What is added to an address.
    pub(super) fn parameters(self) -> &'static str {
        match self {
            Self::Direct | Self::Far | Self::SessionPooler => "",
            Self::TransactionPooler => "?pgbouncer=true",
        }
    }
}

/// The settings of a pooler in front of the server whose socket is in `folder`. It takes connections by a socket in the
/// folder `pooler` there, under the same number, and lets in everybody as one user, who is the only one that there is.
pub(super) fn settings(reach: Reach, folder: &Path) -> String {
    let (mode, connections) = match reach {
        Reach::Direct | Reach::Far | Reach::SessionPooler => ("session", 60),
        // Fewer than most clients would have.
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
