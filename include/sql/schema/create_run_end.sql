-- Every end of a run, append-only: a run that is cleared and ends otherwise has another row. The counters of the exporter
-- are sums over these rows, so no row is ever changed or purged.
CREATE TABLE IF NOT EXISTS run_end (
  run_id BIGINT NOT NULL,
  end_no INT NOT NULL,
  sync_name VARCHAR(64) NOT NULL,
  mode VARCHAR(16) NOT NULL,
  state VARCHAR(20) NOT NULL,
  started_at DATETIME(6) NOT NULL,
  ended_at DATETIME(6) NOT NULL,
  summary JSON NOT NULL,
  PRIMARY KEY (run_id, end_no),
  CONSTRAINT run_end_state CHECK (state IN ('done', 'failed', 'superseded'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
