-- A NOT NULL column without a lasting default: SQLite has to rebuild the table that books refer to.
CREATE TABLE shelves_new (id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, room TEXT NOT NULL) STRICT;
INSERT INTO shelves_new (id, name, room) SELECT id, name, 'hall' FROM shelves;
DROP TABLE shelves;
ALTER TABLE shelves_new RENAME TO shelves;
