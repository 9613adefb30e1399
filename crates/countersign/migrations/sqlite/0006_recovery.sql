-- Whether somebody has shown that they read an address, and what language they want their mail in.
ALTER TABLE auth_users ADD COLUMN email_verified_at INTEGER;
ALTER TABLE auth_users ADD COLUMN language TEXT CHECK (LENGTH(language) <= 35);
ALTER TABLE auth_users ADD COLUMN last_login_at INTEGER;
ALTER TABLE auth_security_events ADD COLUMN user_agent TEXT CHECK (LENGTH(user_agent) <= 200);

-- What has been promised and is done by whoever comes first. While somebody is at it, `run_at` is when they are given up.
CREATE TABLE auth_jobs (
    id         BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL, -- the id of what it is about
    created_at INTEGER NOT NULL,
    run_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    failed_at  INTEGER,          -- given up; somebody has to look
    last_error TEXT
) STRICT;
CREATE INDEX auth_jobs_due ON auth_jobs (run_at) WHERE failed_at IS NULL;

-- Secrets that are sent by mail and used once. They are made of the salt and of SECRET_KEY, so none is stored.
CREATE TABLE auth_one_time_tokens (
    id         BLOB    NOT NULL PRIMARY KEY,
    purpose    TEXT    NOT NULL,
    user_id    BLOB    REFERENCES auth_users (id) ON DELETE CASCADE, -- NULL: nobody yet, or nobody at all
    session_id BLOB,                                                 -- the one that asked
    address    TEXT    NOT NULL,                                     -- where it was sent
    language   TEXT    NOT NULL,
    token_hash TEXT    NOT NULL UNIQUE,                              -- SHA-256 in hexadecimal
    salt       BLOB    NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,                           -- of codes
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_one_time_tokens_by_user ON auth_one_time_tokens (user_id, purpose);
CREATE INDEX auth_one_time_tokens_by_address ON auth_one_time_tokens (address, created_at);
CREATE INDEX auth_one_time_tokens_by_expiry ON auth_one_time_tokens (expires_at);

-- Registrations that own nothing until the address is proven.
CREATE TABLE auth_registrations (
    token_id      BLOB NOT NULL PRIMARY KEY REFERENCES auth_one_time_tokens (id) ON DELETE CASCADE,
    username      TEXT NOT NULL,
    password_hash TEXT NOT NULL CHECK (LENGTH(password_hash) <= 200)
) STRICT;

CREATE TABLE auth_invitations (
    id         BLOB    NOT NULL PRIMARY KEY,
    code_hash  TEXT    NOT NULL UNIQUE, -- SHA-256 in hexadecimal
    address    TEXT,                    -- for whom alone
    uses_left  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- What somebody logged in with before, so that something else is worth a notice.
CREATE TABLE auth_known_devices (
    user_id      BLOB    NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    device       TEXT    NOT NULL,
    last_seen_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, device)
) STRICT, WITHOUT ROWID;
