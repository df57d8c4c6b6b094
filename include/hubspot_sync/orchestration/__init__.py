"""The border to Airflow: connections in, task results and Airflow errors out."""
