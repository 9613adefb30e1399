-- Sessions that can be seen, refreshed and confirmed.
ALTER TABLE auth_sessions
    ADD COLUMN idle_expires_at  BIGINT, -- unless it is used
    ADD COLUMN last_seen_at     BIGINT,
    ADD COLUMN authenticated_at BIGINT, -- when the password was last given
    ADD COLUMN address          TEXT,
    ADD COLUMN user_agent       TEXT CHECK (LENGTH(user_agent) <= 200),
    ADD COLUMN salt             BYTEA,  -- of its refresh tokens and its cookie, which are not stored
    ADD COLUMN refresh_counter  BIGINT; -- which refresh token is the valid one
UPDATE auth_sessions SET
    idle_expires_at = expires_at, last_seen_at = created_at, authenticated_at = created_at, refresh_counter = 0,
    salt = uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
ALTER TABLE auth_sessions
    ALTER COLUMN idle_expires_at SET NOT NULL,
    ALTER COLUMN last_seen_at SET NOT NULL,
    ALTER COLUMN authenticated_at SET NOT NULL,
    ALTER COLUMN salt SET NOT NULL,
    ALTER COLUMN refresh_counter SET NOT NULL;

-- When a refresh token was exchanged, for as long as presenting it again is forgiven.
CREATE TABLE auth_refresh_rotations (
    session_id UUID   NOT NULL REFERENCES auth_sessions (id) ON DELETE CASCADE,
    counter    BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, counter)
);

-- What a user may want to know happened to the account.
CREATE TABLE auth_security_events (
    id          UUID   NOT NULL PRIMARY KEY,
    user_id     UUID   NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    kind        TEXT   NOT NULL,
    address     TEXT,
    happened_at BIGINT NOT NULL
);
CREATE INDEX auth_security_events_by_user ON auth_security_events (user_id, happened_at);
