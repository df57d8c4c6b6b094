-- The clock by which every time of the tables was taken, UTC.
SELECT NOW(6) AS read_at
