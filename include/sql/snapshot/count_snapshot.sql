-- How many records a run has: those to be kept equal, and those withheld by a quarantined line.
-- params: run_id, sync_name
-- result: record_count, withheld_count
SELECT
  (SELECT COUNT(*) FROM snapshot WHERE run_id = %(run_id)s) AS record_count,
  (
    SELECT COUNT(DISTINCT record_key) FROM rejected_record
    WHERE sync_name = %(sync_name)s AND stage = 'validate' AND run_id = %(run_id)s
  ) AS withheld_count
