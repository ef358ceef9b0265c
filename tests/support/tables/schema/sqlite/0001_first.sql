-- The first step; it holds a semicolon in a text.
CREATE TABLE migrated (step integer PRIMARY KEY, text text);
INSERT INTO migrated VALUES
  (1, 'one; two');
