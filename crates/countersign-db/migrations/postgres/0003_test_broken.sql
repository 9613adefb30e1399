-- Leaves a book without its shelf, which must not pass.
ALTER TABLE books DROP CONSTRAINT no_such_constraint;
