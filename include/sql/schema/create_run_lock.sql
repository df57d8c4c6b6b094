-- Who may write to a portal for a sync; belongs to a run, ordered by epoch.
CREATE TABLE IF NOT EXISTS run_lock (
  portal_id BIGINT NOT NULL,
  sync_name VARCHAR(64) NOT NULL,
  holder BIGINT NULL,
  epoch BIGINT NOT NULL,
  last_epoch BIGINT NOT NULL,
  lease_until DATETIME(6) NULL,
  not_before DATETIME(6) NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (portal_id, sync_name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
