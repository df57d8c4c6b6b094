-- The shared pacing state of a portal: one row for every worker, task and run.
CREATE TABLE IF NOT EXISTS rate_limit (
  portal_id BIGINT NOT NULL,
  next_send_at DATETIME(6) NOT NULL,
  interval_us INT NOT NULL,
  burst_us INT NOT NULL,
  window_limit INT NOT NULL,
  paused_until DATETIME(6) NULL,
  daily_limit BIGINT NULL,
  daily_remaining BIGINT NULL,
  last_wait_us BIGINT NOT NULL DEFAULT 0,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (portal_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
