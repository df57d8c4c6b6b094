-- Whoever gives the lock back, or loses it, loses its claims as well: they send nothing and settle nothing any more.
-- params: run_id
UPDATE batch
SET fence = fence + 1, updated_at = NOW(6)
WHERE run_id = %(run_id)s AND state = 'leased'
