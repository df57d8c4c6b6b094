-- Typed rows of the current file of one sync; the columns come from its definition.
CREATE TABLE IF NOT EXISTS {staging_table} (
  run_id BIGINT NOT NULL,
  line_no INT UNSIGNED NOT NULL,
  key_text VARCHAR(320) NOT NULL,
  {column_definitions},
  PRIMARY KEY (run_id, line_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
