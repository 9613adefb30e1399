-- A NOT NULL column without a lasting default.
ALTER TABLE shelves ADD COLUMN room TEXT NOT NULL DEFAULT 'hall';
ALTER TABLE shelves ALTER COLUMN room DROP DEFAULT;
