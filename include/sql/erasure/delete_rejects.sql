-- Remove a person's lines and records that were refused.
-- params: sync_name, record_key
-- index: rejected_record_key (sync_name, record_key)
DELETE FROM rejected_record WHERE sync_name = %(sync_name)s AND record_key = %(record_key)s
