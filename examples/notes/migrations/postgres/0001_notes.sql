CREATE TABLE notes (
    id      uuid NOT NULL PRIMARY KEY, -- UUIDv7: in the order of writing
    user_id uuid NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    text    text NOT NULL CHECK (length(text) BETWEEN 1 AND 1000)
);

CREATE INDEX notes_by_user ON notes (user_id, id DESC);
