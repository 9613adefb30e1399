-- When a post was last edited: microseconds since 1970, UTC; null for one that stands as it was published.
ALTER TABLE posts ADD COLUMN date_edited INTEGER;
