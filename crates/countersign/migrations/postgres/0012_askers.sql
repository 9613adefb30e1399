-- From which network a mail with a code was asked for, as a keyed hash: its tries are its own, so that nobody else can use them up.
ALTER TABLE auth_one_time_tokens ADD COLUMN asker BYTEA;
ALTER TABLE auth_one_time_tokens ADD COLUMN attempts_elsewhere BIGINT NOT NULL DEFAULT 0; -- by all other networks together
