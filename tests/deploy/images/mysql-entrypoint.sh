#!/bin/bash
# Make the data folder and a certificate, then serve with schema and user of the environment.
set -euo pipefail
data=/var/lib/mysql
if [ ! -d "$data/mysql" ]; then
  mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=mysql -keyout "$data/server-key.pem" -out "$data/server-cert.pem"
fi
cat >/tmp/init.sql <<SQL
CREATE DATABASE IF NOT EXISTS $MYSQL_DATABASE;
CREATE USER IF NOT EXISTS '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';
GRANT ALL ON $MYSQL_DATABASE.* TO '$MYSQL_USER'@'%';
SQL
exec mariadbd --no-defaults --datadir="$data" --socket=/run/mysqld/mysqld.sock --bind-address=0.0.0.0 \
  --ssl-cert="$data/server-cert.pem" --ssl-key="$data/server-key.pem" --init-file=/tmp/init.sql "$@"
