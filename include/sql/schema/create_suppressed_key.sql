-- People who asked to be erased, by the hash of their record's key: `stage` leaves their lines out, for good. The key itself
-- is in no table any more. Rows are never purged.
CREATE TABLE IF NOT EXISTS suppressed_key (
  sync_name VARCHAR(64) NOT NULL,
  record_key BINARY(16) NOT NULL,
  suppressed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (sync_name, record_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
