INSERT INTO migrated VALUES (2, 'three');
