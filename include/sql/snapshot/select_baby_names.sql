-- One record per (name, sex): births over all years, first, last and peak year (the earliest on a tie).
-- params: run_id
-- result: key_text, first_line, line_count and one column per mapped property
SELECT
  key_text,
  MIN(line_no) AS first_line,
  COUNT(*) AS line_count,
  MIN(name) AS firstname,
  MIN(sex) AS baby_sex,
  SUM(number) AS total_births,
  MIN(year_of_birth) AS first_year,
  MAX(year_of_birth) AS last_year,
  9999 - MOD(MAX(CAST(number AS UNSIGNED) * 10000 + (9999 - year_of_birth)), 10000) AS peak_year,
  MAX(number) AS peak_births
FROM staging_baby_names
WHERE run_id = %(run_id)s
GROUP BY key_text
