-- Requests of a DAG run that `preflight` sent in tries which did not get as far as a run row, by status (0: no answer came) and
-- class of time as in `api_answer`. They only ask, so they are no write calls. Rows only grow and are never removed.
CREATE TABLE IF NOT EXISTS early_request (
  dag_run_key VARBINARY(250) NOT NULL,
  sync_name VARCHAR(64) NOT NULL,
  status SMALLINT NOT NULL,
  bound_ms INT NOT NULL,
  requests BIGINT NOT NULL,
  total_ms BIGINT NOT NULL,
  PRIMARY KEY (dag_run_key, status, bound_ms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
