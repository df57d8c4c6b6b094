-- Remember why a task of this run stopped, for those who read the table; a run that is over keeps what it has.
-- params: dag_run_key, reason, reason_text
UPDATE sync_run
SET reason = %(reason)s, reason_text = %(reason_text)s
WHERE dag_run_key = %(dag_run_key)s AND state NOT IN ('done', 'superseded')
