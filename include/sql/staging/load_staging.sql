-- Load a validated file. LOCAL never fails on bad rows, so the caller proves rows, warnings and sums before commit.
-- params: path, run_id
-- result: rows in staging
LOAD DATA LOCAL INFILE %(path)s INTO TABLE {staging_table} CHARACTER SET utf8mb4
FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\n'
(line_no, key_text, {columns}) SET run_id = %(run_id)s
