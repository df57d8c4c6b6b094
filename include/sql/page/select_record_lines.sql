-- The lines of the staged file that made one record. `line_limit` is the snapshot's count, so the search ends with the last one.
-- params: run_id, key_text, first_line, line_limit
-- slots: staging_table, columns
-- index: PK (run_id, line_no)
SELECT line_no, {columns}
FROM {staging_table}
WHERE run_id = %(run_id)s AND line_no >= %(first_line)s AND key_text = %(key_text)s
ORDER BY line_no
LIMIT %(line_limit)s
