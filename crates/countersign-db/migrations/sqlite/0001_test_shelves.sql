-- For this crate's own tests: a table that another one refers to.
CREATE TABLE shelves (id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE books (
    id BLOB NOT NULL PRIMARY KEY,
    shelf_id BLOB NOT NULL REFERENCES shelves (id) ON DELETE CASCADE
) STRICT;
