-- Where the time of a run went, by task (shard -1: the tasks around the shards); parts of a shard that ran at the same time each
-- count in full. The last try of the task began and ended at these moments.
CREATE TABLE IF NOT EXISTS run_phase (
  run_id BIGINT NOT NULL,
  phase VARCHAR(16) NOT NULL,
  shard SMALLINT NOT NULL,
  seconds DOUBLE NOT NULL,
  began_at DATETIME(6) NOT NULL,
  ended_at DATETIME(6) NOT NULL,
  PRIMARY KEY (run_id, phase, shard)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
