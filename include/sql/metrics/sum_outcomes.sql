-- What became of records, over all runs that send. Of a run with several ends the largest count stands, because a cleared
-- run counts its records anew and may count fewer; a plan that was only shown sent nothing.
-- result: sync_name and one sum per outcome
SELECT
  t.sync_name,
  SUM(t.created) AS created, SUM(t.updated) AS updated, SUM(t.archived) AS archived, SUM(t.unchanged) AS unchanged,
  SUM(t.rejected) AS rejected, SUM(t.quarantined) AS quarantined, SUM(t.still_open) AS still_open,
  SUM(t.verified) AS verified, SUM(t.mismatched) AS mismatched
FROM (
  SELECT
    e.run_id, e.sync_name,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.created') + 0), 0) AS created,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.updated') + 0), 0) AS updated,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.archived') + 0), 0) AS archived,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.unchanged') + 0), 0) AS unchanged,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.rejected') + 0), 0) AS rejected,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.quarantined') + 0), 0) AS quarantined,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.open') + 0), 0) AS still_open,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.verified') + 0), 0) AS verified,
    COALESCE(MAX(JSON_EXTRACT(e.summary, '$.mismatched') + 0), 0) AS mismatched
  FROM (
    SELECT run_id, sync_name, summary FROM run_end WHERE mode <> 'plan_only'
    UNION ALL
    SELECT run_id, sync_name, summary FROM sync_run WHERE mode <> 'plan_only' AND summary IS NOT NULL
  ) e
  GROUP BY e.run_id, e.sync_name
) t
GROUP BY t.sync_name
