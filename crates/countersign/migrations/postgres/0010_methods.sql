-- How a session was begun: names of methods, as in RFC 8176, with blanks between them.
ALTER TABLE auth_sessions ADD COLUMN methods TEXT NOT NULL DEFAULT 'pwd' CHECK (LENGTH(methods) <= 100);
