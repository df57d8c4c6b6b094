-- Move a run to another state, with the reason when it is not a good one.
-- params: run_id, state, reason, reason_text
UPDATE sync_run
SET state = %(state)s, reason = %(reason)s, reason_text = %(reason_text)s
WHERE run_id = %(run_id)s
