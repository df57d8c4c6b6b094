-- Leave a person's lines out from now on; a second time changes nothing. The table is append-only, so nothing is updated.
-- params: sync_name, record_key
INSERT IGNORE INTO suppressed_key (sync_name, record_key, suppressed_at)
VALUES (%(sync_name)s, %(record_key)s, NOW(6))
