-- Leaves a book without its shelf, which must not pass.
DELETE FROM shelves;
