-- For this crate's own tests: a column of every kind, and a row that the migration makes.
CREATE TABLE kinds (
    number   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    small    INTEGER,
    middle   INTEGER,
    truth    INTEGER,
    floating REAL,
    double   REAL,
    words    TEXT,
    bytes    BLOB
) STRICT;
INSERT INTO shelves (id, name) VALUES (x'00000000000000000000000000000001', 'made');
