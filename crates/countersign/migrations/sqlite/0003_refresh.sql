-- Sessions that can be seen, refreshed and confirmed. What follows the primary key of a rebuilt table keeps its rows.
CREATE TABLE auth_sessions_new (
    id               BLOB    NOT NULL PRIMARY KEY,
    user_id          BLOB    NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL, -- whatever happens
    idle_expires_at  INTEGER NOT NULL, -- unless it is used
    last_seen_at     INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL, -- when the password was last given
    address          TEXT,
    user_agent       TEXT             CHECK (LENGTH(user_agent) <= 200),
    salt             BLOB    NOT NULL, -- of its refresh tokens and its cookie, which are not stored
    refresh_counter  INTEGER NOT NULL  -- which refresh token is the valid one
) STRICT;
INSERT INTO auth_sessions_new
    SELECT id, user_id, created_at, expires_at, expires_at, created_at, created_at, NULL, NULL, randomblob(32), 0
    FROM auth_sessions;
DROP TABLE auth_sessions;
ALTER TABLE auth_sessions_new RENAME TO auth_sessions;
CREATE INDEX auth_sessions_by_user ON auth_sessions (user_id, expires_at);

-- When a refresh token was exchanged, for as long as presenting it again is forgiven.
CREATE TABLE auth_refresh_rotations (
    session_id BLOB    NOT NULL REFERENCES auth_sessions (id) ON DELETE CASCADE,
    counter    INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, counter)
) STRICT, WITHOUT ROWID;

-- What a user may want to know happened to the account.
CREATE TABLE auth_security_events (
    id          BLOB    NOT NULL PRIMARY KEY,
    user_id     BLOB    NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    kind        TEXT    NOT NULL,
    address     TEXT,
    happened_at INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_security_events_by_user ON auth_security_events (user_id, happened_at);
