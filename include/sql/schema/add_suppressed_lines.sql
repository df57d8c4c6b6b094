-- How many lines of a run's file were left out because their person was erased; NULL: none was looked for.
ALTER TABLE sync_run ADD COLUMN suppressed_lines BIGINT NULL AFTER unreadable_key_lines
