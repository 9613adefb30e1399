-- Posts, and how many there are.

CREATE TABLE posts (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id     BLOB    NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    title       TEXT    NOT NULL CHECK (length(title) BETWEEN 1 AND 100),
    content     TEXT    NOT NULL,
    date_posted INTEGER NOT NULL -- microseconds since 1970, UTC
) STRICT;

-- Newest first; each covers the walk to a deep page.
CREATE INDEX posts_by_date ON posts (date_posted DESC, id DESC);
CREATE INDEX posts_by_author ON posts (user_id, date_posted DESC, id DESC);

-- Posts per author; a row lives as long as its author has posts. No foreign key: the triggers see every post go.
CREATE TABLE post_counts (
    user_id BLOB    NOT NULL PRIMARY KEY,
    posts   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Posts in all: the sum over the shards. SQLite has one writer at a time and needs only shard 0.
CREATE TABLE post_totals (
    shard INTEGER NOT NULL PRIMARY KEY,
    posts INTEGER NOT NULL
) STRICT;

INSERT INTO post_totals (shard, posts) VALUES (0, 0);

-- Triggers, so that the posts that go with a deleted user are counted too. A post never changes its author.
CREATE TRIGGER posts_added AFTER INSERT ON posts BEGIN
    INSERT INTO post_counts (user_id, posts) VALUES (NEW.user_id, 1)
        ON CONFLICT (user_id) DO UPDATE SET posts = posts + 1;
    UPDATE post_totals SET posts = posts + 1 WHERE shard = 0;
END;

CREATE TRIGGER posts_removed AFTER DELETE ON posts BEGIN
    UPDATE post_counts SET posts = posts - 1 WHERE user_id = OLD.user_id;
    DELETE FROM post_counts WHERE user_id = OLD.user_id AND posts <= 0;
    UPDATE post_totals SET posts = posts - 1 WHERE shard = 0;
END;
