-- The revision that the migration reached.
-- result: version_num
SELECT version_num FROM schema_version
