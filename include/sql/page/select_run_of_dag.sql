-- The run of a DAG run, once preflight has opened it.
-- params: sync_name, dag_run_key
-- index: dag_run_key
SELECT run_id
FROM sync_run
WHERE dag_run_key = %(dag_run_key)s AND sync_name = %(sync_name)s
