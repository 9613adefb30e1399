-- Keys that sign access tokens with a public half; the private one is sealed under SECRET_KEY.
CREATE TABLE auth_signing_keys (
    kid         TEXT    NOT NULL PRIMARY KEY,
    algorithm   TEXT    NOT NULL,
    sealed_key  BLOB    NOT NULL,
    sealed_by   TEXT    NOT NULL, -- which SECRET_KEY
    created_at  INTEGER NOT NULL,
    active_from INTEGER NOT NULL, -- published at once, used from here on
    retired_at  INTEGER           -- neither signs nor verifies any more
) STRICT;
