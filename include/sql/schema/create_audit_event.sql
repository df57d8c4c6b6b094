-- Who triggered, cleared, replayed or approved what. Append-only.
CREATE TABLE IF NOT EXISTS audit_event (
  id BIGINT NOT NULL AUTO_INCREMENT,
  at DATETIME(6) NOT NULL,
  actor VARCHAR(250) NOT NULL,
  action VARCHAR(32) NOT NULL,
  sync_name VARCHAR(64) NOT NULL,
  run_id BIGINT NULL,
  target VARCHAR(250) NOT NULL,
  detail JSON NOT NULL,
  PRIMARY KEY (id),
  KEY audit_event_run (run_id),
  KEY audit_event_at (at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
