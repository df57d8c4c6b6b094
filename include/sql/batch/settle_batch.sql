-- Commit the answer of a batch, only under the fence that sent it. `clean`: nothing of it can still be on its way.
-- params: run_id, batch_no, fence, state, is_clean, http_status, latency_ms, correlation_id, reason, is_delivered
UPDATE batch
SET
  state = %(state)s, lease_until = IF(%(is_clean)s = 1, NULL, lease_until), http_status = %(http_status)s,
  latency_ms = %(latency_ms)s, correlation_id = %(correlation_id)s, reason = %(reason)s,
  delivered_at = IF(%(is_delivered)s = 1, NOW(6), delivered_at), updated_at = NOW(6)
WHERE run_id = %(run_id)s AND batch_no = %(batch_no)s AND fence = %(fence)s AND state = 'leased'
