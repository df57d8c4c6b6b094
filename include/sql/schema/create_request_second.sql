-- Requests of a portal by second of sending, of all runs together: how much of its limit we use ourselves. Kept for an hour.
CREATE TABLE IF NOT EXISTS request_second (
  portal_id BIGINT NOT NULL,
  second_no BIGINT NOT NULL,
  requests INT NOT NULL,
  PRIMARY KEY (portal_id, second_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
