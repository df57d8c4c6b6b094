-- What the product relies on.
-- result: version, local_infile, is_read_only, max_packet_bytes, time_zone_offset_s; the TLS version is asked separately
SELECT
  VERSION() AS version,
  @@local_infile AS local_infile,
  @@read_only AS is_read_only,
  @@max_allowed_packet AS max_packet_bytes,
  TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()) AS time_zone_offset_s
