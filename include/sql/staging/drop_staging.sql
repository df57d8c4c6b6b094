-- Drop a staging table whose columns no longer fit its definition; it holds nothing but the last file.
DROP TABLE IF EXISTS {staging_table}
