-- For how long the newest run of a sync is under way. A run that was cleared counts since its last task began, because the
-- moment of the clear is in no table. Older open runs are left out: the newest waits for them or replaces them.
-- result: sync_name, age_s
-- index: sync_run sync_run_sync (sync_name, run_id), run_end PK (run_id), run_phase PK (run_id)
SELECT
  r.sync_name,
  TIMESTAMPDIFF(
    MICROSECOND,
    COALESCE(
      (
        SELECT GREATEST(MAX(e.ended_at), COALESCE(MAX(p.began_at), MAX(e.ended_at)))
        FROM run_end e
        LEFT JOIN run_phase p ON p.run_id = e.run_id
        WHERE e.run_id = r.run_id
      ),
      r.started_at
    ),
    NOW(6)
  ) / 1000000 AS age_s
FROM sync_run r
WHERE
  r.run_id IN (SELECT MAX(t.run_id) FROM sync_run t GROUP BY t.sync_name)
  AND r.state NOT IN ('done', 'failed', 'superseded') AND r.mode <> 'plan_only'
