-- What happened to accounts, by whom and from where. A row outlives the user, whose address and browser are then erased; what an
-- event says does not change otherwise.
CREATE TABLE auth_events (
    id          BLOB    NOT NULL PRIMARY KEY, -- in the order of time
    kind        TEXT    NOT NULL CHECK (LENGTH(kind) <= 100),
    outcome     TEXT    NOT NULL DEFAULT 'success' CHECK (outcome IN ('success', 'failure')),
    actor_kind  TEXT    NOT NULL DEFAULT 'system' CHECK (actor_kind IN ('user', 'system')),
    actor_id    BLOB,                         -- of a user
    subject_id  BLOB    NOT NULL,             -- the user to whose account it happened
    session_id  BLOB,
    address     TEXT,
    user_agent  TEXT             CHECK (LENGTH(user_agent) <= 200),
    happened_at INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_events_by_subject ON auth_events (subject_id, kind, id);

INSERT INTO auth_events (id, kind, outcome, actor_kind, actor_id, subject_id, address, user_agent, happened_at)
    SELECT id, kind,
           CASE kind WHEN 'refresh_token_reused' THEN 'failure' ELSE 'success' END,
           CASE kind WHEN 'refresh_token_reused' THEN 'system' ELSE 'user' END,
           CASE kind WHEN 'refresh_token_reused' THEN NULL ELSE user_id END,
           user_id, address, user_agent, happened_at
    FROM auth_security_events;

-- The newest 200 of one kind are kept of each user, so that nobody can push out a rare event by many of another kind.
CREATE TRIGGER auth_events_bounded AFTER INSERT ON auth_events BEGIN
    DELETE FROM auth_events WHERE subject_id = NEW.subject_id AND kind = NEW.kind AND id <= (
        SELECT id FROM auth_events WHERE subject_id = NEW.subject_id AND kind = NEW.kind
        ORDER BY id DESC LIMIT 1 OFFSET 200
    );
END;

-- For the version before, while instances are replaced one by one.
DROP TABLE auth_security_events;
CREATE VIEW auth_security_events AS
    SELECT id, subject_id AS user_id, kind, address, happened_at, user_agent FROM auth_events;
CREATE TRIGGER auth_security_events_added INSTEAD OF INSERT ON auth_security_events BEGIN
    INSERT INTO auth_events (id, kind, subject_id, address, user_agent, happened_at)
        VALUES (NEW.id, NEW.kind, NEW.user_id, NEW.address, NEW.user_agent, NEW.happened_at);
END;
