-- The changes of one request. `lease_until` stays set after an unknown answer until the request has drained;
-- NULL means that nothing of this batch can still be on its way.
CREATE TABLE IF NOT EXISTS batch (
  run_id BIGINT NOT NULL,
  batch_no INT NOT NULL,
  kind VARCHAR(8) NOT NULL,
  shard SMALLINT NOT NULL,
  first_seq BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  row_count INT NOT NULL,
  state VARCHAR(12) NOT NULL,
  fence BIGINT NOT NULL DEFAULT 0,
  attempts INT NOT NULL DEFAULT 0,
  lease_owner VARBINARY(250) NULL,
  lease_until DATETIME(6) NULL,
  http_status SMALLINT NULL,
  latency_ms INT NULL,
  correlation_id VARCHAR(64) NULL,
  reason VARCHAR(64) NULL,
  delivered_at DATETIME(6) NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (run_id, batch_no),
  KEY batch_shard (run_id, shard, state),
  CONSTRAINT batch_kind CHECK (kind IN ('upsert', 'archive')),
  CONSTRAINT batch_state CHECK (state IN ('ready', 'leased', 'done', 'superseded'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
