-- What other instances have to forget: a session, or all of a user's. Only added to; old rows are swept away.
CREATE TABLE auth_changes (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id    BLOB    NOT NULL, -- no reference: the user may be gone
    session_id BLOB,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_changes_by_time ON auth_changes (changed_at);
