-- Note that Kaggle offers a version; one that is known keeps its moment.
-- params: sync_name, version, last_updated
INSERT INTO dataset_version (sync_name, version, last_updated, seen_at)
VALUES (%(sync_name)s, %(version)s, %(last_updated)s, NOW(6))
ON DUPLICATE KEY UPDATE sync_name = VALUES(sync_name)
