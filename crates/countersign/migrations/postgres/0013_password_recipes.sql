-- Of which recipes stored password hashes are: the family and its costs, as a hash without salt and tag. A wrong password is computed by
-- each, so that the time it takes does not tell whose account there is.
CREATE TABLE auth_password_recipes (
    recipe   TEXT   NOT NULL PRIMARY KEY CHECK (LENGTH(recipe) <= 512),
    found_at BIGINT NOT NULL
);
