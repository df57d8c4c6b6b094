-- What a run was going to do, made before anything is sent: see `records.RunPlan`. `samples` holds properties of contacts, so
-- the row goes with the other rows of its run. `applies_run_id`: the run whose plan this one had to be.
CREATE TABLE IF NOT EXISTS run_plan (
  run_id BIGINT NOT NULL,
  fingerprint BINARY(32) NOT NULL,
  applies_run_id BIGINT NULL,
  plan JSON NOT NULL,
  samples JSON NOT NULL,
  made_at DATETIME(6) NOT NULL,
  PRIMARY KEY (run_id),
  KEY run_plan_applies (applies_run_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
