CREATE TABLE notes (
    id      BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- UUIDv7: in the order of writing
    user_id BLOB NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    text    TEXT NOT NULL CHECK (length(text) BETWEEN 1 AND 1000)
) STRICT;

CREATE INDEX notes_by_user ON notes (user_id, id DESC);
