-- Versions of a dataset that Kaggle was seen to offer, and since when.
CREATE TABLE IF NOT EXISTS dataset_version (
  sync_name VARCHAR(64) NOT NULL,
  version INT NOT NULL,
  last_updated VARCHAR(40) NOT NULL,
  seen_at DATETIME(6) NOT NULL,
  PRIMARY KEY (sync_name, version, last_updated)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
