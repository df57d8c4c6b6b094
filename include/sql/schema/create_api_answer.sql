-- Requests of a run by how long their answers took, or until it was clear that none comes. `bound_ms` is
-- the upper bound of a class of times, 0 for longer than all; classes that got no request have no row.
CREATE TABLE IF NOT EXISTS api_answer (
  run_id BIGINT NOT NULL,
  shard SMALLINT NOT NULL,
  is_good TINYINT NOT NULL,
  bound_ms INT NOT NULL,
  requests BIGINT NOT NULL,
  total_ms BIGINT NOT NULL,
  PRIMARY KEY (run_id, shard, is_good, bound_ms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
