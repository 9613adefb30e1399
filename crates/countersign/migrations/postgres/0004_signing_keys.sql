-- Keys that sign access tokens with a public half; the private one is sealed under SECRET_KEY.
CREATE TABLE auth_signing_keys (
    kid         TEXT   NOT NULL PRIMARY KEY,
    algorithm   TEXT   NOT NULL,
    sealed_key  BYTEA  NOT NULL,
    sealed_by   TEXT   NOT NULL, -- which SECRET_KEY
    created_at  BIGINT NOT NULL,
    active_from BIGINT NOT NULL, -- published at once, used from here on
    retired_at  BIGINT           -- neither signs nor verifies any more
);
