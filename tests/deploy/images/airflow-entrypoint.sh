#!/bin/sh
# Like the official entry point: shells, Python and airflow run as they are, anything else is a command of airflow.
set -eu
case ${1:-} in
  bash | python | airflow) exec "$@" ;;
  *) exec airflow "$@" ;;
esac
