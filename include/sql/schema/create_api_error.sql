-- Requests of a run without a good answer (2xx), by HTTP status (0: no answer came).
CREATE TABLE IF NOT EXISTS api_error (
  run_id BIGINT NOT NULL,
  status SMALLINT NOT NULL,
  requests BIGINT NOT NULL,
  PRIMARY KEY (run_id, status)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
