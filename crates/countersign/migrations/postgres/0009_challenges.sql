-- Challenges that were used, as long as they could be used again.
CREATE TABLE auth_spent_challenges (
    id         UUID   NOT NULL PRIMARY KEY, -- the random bytes of the challenge
    expires_at BIGINT NOT NULL
);
CREATE INDEX auth_spent_challenges_by_expiry ON auth_spent_challenges (expires_at);
