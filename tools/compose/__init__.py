"""Programs around docker-compose.yaml: secrets before it starts, health and Airflow's objects inside it."""
