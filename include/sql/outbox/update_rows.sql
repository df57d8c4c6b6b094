-- Move the named rows from one state to another, with the ids that HubSpot gave.
-- params: run_id, rows (JSON list of {"seq", "hubspot_id"}), from_state, state, reason
UPDATE outbox o
INNER JOIN JSON_TABLE(
  %(rows)s, '$[*]' COLUMNS (seq BIGINT PATH '$.seq', hubspot_id BIGINT PATH '$.hubspot_id')
) r ON r.seq = o.seq
SET
  o.state = %(state)s, o.hubspot_id = COALESCE(r.hubspot_id, o.hubspot_id), o.reason = %(reason)s, o.updated_at = NOW(6)
WHERE o.run_id = %(run_id)s AND o.state = %(from_state)s
