-- Close a run with its summary. The reason that a task noted stays with a run that did not end well.
-- params: run_id, state, reason_text, summary, is_accepted
UPDATE sync_run
SET
  reason_text = CASE WHEN %(state)s = 'done' THEN NULL WHEN reason IS NULL THEN %(reason_text)s ELSE reason_text END,
  reason = IF(%(state)s = 'done', NULL, reason),
  state = %(state)s, summary = %(summary)s, is_accepted = %(is_accepted)s, finished_at = NOW(6)
WHERE run_id = %(run_id)s
