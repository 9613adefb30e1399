-- Users. Ids are UUIDv7, instants microseconds since 1970 in UTC.
CREATE TABLE auth_users (
    id            BLOB    NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL,
    username_key  TEXT    NOT NULL UNIQUE,
    email         TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL CHECK (LENGTH(password_hash) <= 200),
    image_file    TEXT             CHECK (LENGTH(image_file) <= 200),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

-- What hosts may join to show an author: stable, and without anything private.
CREATE VIEW auth_user_profiles AS SELECT id, username, image_file FROM auth_users;
