-- Challenges that were used, as long as they could be used again.
CREATE TABLE auth_spent_challenges (
    id         BLOB    NOT NULL PRIMARY KEY, -- the random bytes of the challenge
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_spent_challenges_by_expiry ON auth_spent_challenges (expires_at);
