-- What other instances have to forget: a session, or all of a user's. Only added to; old rows are swept away.
CREATE TABLE auth_changes (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    UUID   NOT NULL, -- no reference: the user may be gone
    session_id UUID,
    changed_at BIGINT NOT NULL
);
CREATE INDEX auth_changes_by_time ON auth_changes (changed_at);
