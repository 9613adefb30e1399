-- How often something was tried in vain, so that guessing gets slower. What a key stands for is known to those alone who have
-- SECRET_KEY and guess right: it is the beginning of an HMAC.
CREATE TABLE auth_attempts (
    key      BLOB    NOT NULL PRIMARY KEY CHECK (LENGTH(key) = 16),
    failures INTEGER NOT NULL, -- when last_at was; one less for each full hour since
    last_at  INTEGER NOT NULL,
    next_at  INTEGER NOT NULL  -- until then nothing is tried
) STRICT, WITHOUT ROWID;
