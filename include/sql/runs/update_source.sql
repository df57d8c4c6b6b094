-- Pin what the run works on; it is no measure for others until it ends with that.
-- params: run_id, source_version, source_last_updated, source_sha256, manifest_key, source_file, mapping_hash, hash_version, is_unchanged
UPDATE sync_run
SET
  state = 'landing', source_version = %(source_version)s, source_last_updated = %(source_last_updated)s,
  source_sha256 = %(source_sha256)s, manifest_key = %(manifest_key)s, source_file = %(source_file)s, mapping_hash = %(mapping_hash)s,
  hash_version = %(hash_version)s, is_unchanged = %(is_unchanged)s,
  is_accepted = 0
WHERE run_id = %(run_id)s
