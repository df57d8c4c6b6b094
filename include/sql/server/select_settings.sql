-- What the product relies on.
-- result: version, local_infile, is_read_only, time_zone_offset_s, tls_version is asked separately
SELECT
  VERSION() AS version,
  @@local_infile AS local_infile,
  @@read_only AS is_read_only,
  TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()) AS time_zone_offset_s
