-- Remove a person's lines from the file that is staged now.
-- params: key_text
DELETE FROM {staging_table} WHERE key_text = %(key_text)s
