-- Close a run with its summary.
-- params: run_id, state, reason, reason_text, summary, is_accepted
UPDATE sync_run
SET
  state = %(state)s, reason = %(reason)s, reason_text = %(reason_text)s, summary = %(summary)s,
  is_accepted = %(is_accepted)s, finished_at = NOW(6)
WHERE run_id = %(run_id)s
