-- One change to deliver. The rows of a batch have consecutive `seq`.
CREATE TABLE IF NOT EXISTS outbox (
  run_id BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  batch_no INT NOT NULL,
  operation VARCHAR(8) NOT NULL,
  record_key BINARY(16) NOT NULL,
  key_text VARCHAR(320) NOT NULL,
  row_hash BINARY(32) NULL,
  properties JSON NULL,
  previous_properties JSON NULL,
  hubspot_id BIGINT NULL,
  state VARCHAR(12) NOT NULL,
  attempts INT NOT NULL DEFAULT 0,
  reason VARCHAR(64) NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (run_id, seq),
  KEY outbox_record (run_id, record_key),
  CONSTRAINT outbox_operation CHECK (operation IN ('create', 'update', 'archive')),
  CONSTRAINT outbox_state CHECK (state IN (
    'pending', 'in_flight', 'delivered', 'verified', 'rejected', 'mismatched', 'superseded'
  ))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
