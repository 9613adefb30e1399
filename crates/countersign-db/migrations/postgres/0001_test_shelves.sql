-- For this crate's own tests: a table that another one refers to.
CREATE TABLE shelves (id UUID NOT NULL PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE books (
    id UUID NOT NULL PRIMARY KEY,
    shelf_id UUID NOT NULL REFERENCES shelves (id) ON DELETE CASCADE
);
