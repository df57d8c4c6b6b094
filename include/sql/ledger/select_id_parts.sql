-- The ids of known contacts, cut into parts of the same number of contacts.
-- params: sync_name, parts
-- result: last_id of each part, rising
SELECT MAX(p.hubspot_id) AS last_id
FROM (
  SELECT hubspot_id, NTILE(%(parts)s) OVER (ORDER BY hubspot_id) AS part
  FROM ledger
  WHERE sync_name = %(sync_name)s AND hubspot_id IS NOT NULL
) p
GROUP BY p.part
ORDER BY last_id
