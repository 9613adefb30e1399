-- Posts, and how many there are.

CREATE TABLE posts (
    id          UUID   NOT NULL PRIMARY KEY,
    user_id     UUID   NOT NULL REFERENCES auth_users (id) ON DELETE CASCADE,
    title       TEXT   NOT NULL CHECK (length(title) BETWEEN 1 AND 100),
    content     TEXT   NOT NULL,
    date_posted BIGINT NOT NULL -- microseconds since 1970, UTC
);

-- Newest first; each covers the walk to a deep page.
CREATE INDEX posts_by_date ON posts (date_posted DESC, id DESC);
CREATE INDEX posts_by_author ON posts (user_id, date_posted DESC, id DESC);

-- Posts per author; a row lives as long as its author has posts. No foreign key: the triggers see every post go, and a
-- second cascade could lock this row before the posts' rows, against the order of every other transaction.
CREATE TABLE post_counts (
    user_id UUID   NOT NULL PRIMARY KEY,
    posts   BIGINT NOT NULL
);

-- Posts in all: the sum over the shards. The author chooses the shard, so that authors rarely wait for one another, and
-- that whatever happens to one author's posts locks one count and then one shard: nobody can wait in a circle.
CREATE TABLE post_totals (
    shard INTEGER NOT NULL PRIMARY KEY,
    posts BIGINT  NOT NULL
);

INSERT INTO post_totals (shard, posts) SELECT shard, 0 FROM generate_series(0, 15) AS shard;

-- The last byte of an id is random.
CREATE FUNCTION post_shard(user_id UUID) RETURNS INTEGER LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT get_byte(uuid_send(user_id), 15) % 16 $$;

-- Triggers, so that the posts that go with a deleted user are counted too. Once a statement, not once a row: a deleted
-- user's ten thousand posts are one change of one count. A post never changes its author.
CREATE FUNCTION count_posts_added() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO post_counts AS kept (user_id, posts)
        SELECT user_id, COUNT(*) FROM changed GROUP BY user_id ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE SET posts = kept.posts + EXCLUDED.posts;
    UPDATE post_totals AS kept SET posts = kept.posts + added.posts
        FROM (SELECT post_shard(user_id) AS shard, COUNT(*) AS posts FROM changed GROUP BY 1) AS added
        WHERE kept.shard = added.shard;
    RETURN NULL;
END;
$$;

CREATE FUNCTION count_posts_removed() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE post_counts AS kept SET posts = kept.posts - removed.posts
        FROM (SELECT user_id, COUNT(*) AS posts FROM changed GROUP BY user_id) AS removed
        WHERE kept.user_id = removed.user_id;
    DELETE FROM post_counts WHERE posts <= 0 AND user_id IN (SELECT user_id FROM changed);
    UPDATE post_totals AS kept SET posts = kept.posts - removed.posts
        FROM (SELECT post_shard(user_id) AS shard, COUNT(*) AS posts FROM changed GROUP BY 1) AS removed
        WHERE kept.shard = removed.shard;
    RETURN NULL;
END;
$$;

CREATE TRIGGER posts_added AFTER INSERT ON posts REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_posts_added();

CREATE TRIGGER posts_removed AFTER DELETE ON posts REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_posts_removed();
