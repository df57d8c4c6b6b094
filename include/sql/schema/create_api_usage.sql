-- HTTP requests of a run by shard (-1: the tasks around the shards); counted when the send is reserved.
CREATE TABLE IF NOT EXISTS api_usage (
  run_id BIGINT NOT NULL,
  shard SMALLINT NOT NULL,
  calls BIGINT NOT NULL DEFAULT 0,
  write_calls BIGINT NOT NULL DEFAULT 0,
  http_429 BIGINT NOT NULL DEFAULT 0,
  wait_ms BIGINT NOT NULL DEFAULT 0,
  answer_ms BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (run_id, shard)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
