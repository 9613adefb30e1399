-- How long a login is meant to last: `kept`, or `brief` on a device that others use, too.
ALTER TABLE auth_sessions ADD COLUMN stay TEXT NOT NULL DEFAULT 'kept' CHECK (LENGTH(stay) <= 10);
