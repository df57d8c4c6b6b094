-- Somebody decided something.
-- params: actor, action, sync_name, run_id, target, detail
INSERT INTO audit_event (at, actor, action, sync_name, run_id, target, detail)
VALUES (NOW(6), %(actor)s, %(action)s, %(sync_name)s, %(run_id)s, %(target)s, %(detail)s)
