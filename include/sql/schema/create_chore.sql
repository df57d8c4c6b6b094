-- The work beside the runs (maintenance, probe): how often it ended well or not, and when last. One row for each sync and
-- chore, so that its counters need no old rows. Every try that fails counts, also one that is tried again.
CREATE TABLE IF NOT EXISTS chore (
  sync_name VARCHAR(64) NOT NULL,
  chore VARCHAR(16) NOT NULL,
  successes BIGINT NOT NULL DEFAULT 0,
  failures BIGINT NOT NULL DEFAULT 0,
  last_success_at DATETIME(6) NULL,
  last_failure_at DATETIME(6) NULL,
  PRIMARY KEY (sync_name, chore)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
