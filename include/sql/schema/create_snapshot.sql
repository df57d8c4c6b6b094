-- One record per contact of one run, hashed.
CREATE TABLE IF NOT EXISTS snapshot (
  run_id BIGINT NOT NULL,
  record_key BINARY(16) NOT NULL,
  key_text VARCHAR(320) NOT NULL,
  row_hash BINARY(32) NOT NULL,
  properties JSON NOT NULL,
  first_line INT UNSIGNED NOT NULL,
  line_count INT UNSIGNED NOT NULL,
  PRIMARY KEY (run_id, record_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
