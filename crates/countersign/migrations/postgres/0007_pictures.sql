-- The sweep asks of each file whether a user has it.
CREATE INDEX auth_users_image_file ON auth_users (image_file) WHERE image_file IS NOT NULL;
