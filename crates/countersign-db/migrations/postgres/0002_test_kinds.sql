-- For this crate's own tests: a column of every kind, and a row that the migration makes.
CREATE TABLE kinds (
    number   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    small    SMALLINT,
    middle   INTEGER,
    truth    BOOLEAN,
    floating REAL,
    double   DOUBLE PRECISION,
    words    VARCHAR(20),
    bytes    BYTEA
);
INSERT INTO shelves (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'made');
