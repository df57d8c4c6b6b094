-- What HubSpot is known to hold, by record. `uncertain`: a request may have left without a settled answer;
-- `uncertain_from` keeps the state before it. `is_waived`: not read back, by the definition's choice.
CREATE TABLE IF NOT EXISTS ledger (
  sync_name VARCHAR(64) NOT NULL,
  record_key BINARY(16) NOT NULL,
  key_text VARCHAR(320) NOT NULL,
  state VARCHAR(12) NOT NULL,
  uncertain_from VARCHAR(12) NULL,
  row_hash BINARY(32) NULL,
  hash_version SMALLINT NULL,
  properties JSON NULL,
  hubspot_id BIGINT NULL,
  run_id BIGINT NOT NULL,
  run_epoch BIGINT NOT NULL,
  source_version INT NULL,
  confirmed_at DATETIME(6) NULL,
  verified_at DATETIME(6) NULL,
  is_waived TINYINT NOT NULL DEFAULT 0,
  PRIMARY KEY (sync_name, record_key),
  CONSTRAINT ledger_state CHECK (state IN ('active', 'archived', 'uncertain'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
