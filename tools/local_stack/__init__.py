"""The local stack: MySQL, S3, both simulators and Airflow on loopback, without Docker."""
