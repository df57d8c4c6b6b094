-- Dead letters: source lines that were not loaded (stage `validate`) and records that HubSpot refused (stage `deliver`).
-- `released_at`: try again although nothing changed; `resolved_at`: delivered since, or gone from the source.
CREATE TABLE IF NOT EXISTS rejected_record (
  id BIGINT NOT NULL AUTO_INCREMENT,
  sync_name VARCHAR(64) NOT NULL,
  fingerprint BINARY(16) NOT NULL,
  run_id BIGINT NOT NULL,
  stage VARCHAR(16) NOT NULL,
  source_file VARCHAR(1024) NOT NULL,
  line_no INT UNSIGNED NULL,
  line_count INT UNSIGNED NULL,
  column_name VARCHAR(64) NOT NULL,
  record_key BINARY(16) NULL,
  key_text VARCHAR(320) NULL,
  row_hash BINARY(32) NULL,
  reason VARCHAR(64) NOT NULL,
  reason_text VARCHAR(2000) NOT NULL,
  correlation_id VARCHAR(64) NULL,
  payload LONGTEXT NOT NULL,
  attempts INT NOT NULL DEFAULT 1,
  first_seen_at DATETIME(6) NOT NULL,
  last_seen_at DATETIME(6) NOT NULL,
  released_at DATETIME(6) NULL,
  resolved_at DATETIME(6) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY rejected_record_fingerprint (sync_name, fingerprint),
  KEY rejected_record_key (sync_name, record_key),
  KEY rejected_record_reason (sync_name, released_at, reason)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
