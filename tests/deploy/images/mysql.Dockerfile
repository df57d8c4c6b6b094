# Stands in for the official mysql image: its variables, its folder, a certificate of its own. The server is Debian's
# MariaDB, because no Debian release has MySQL.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends mariadb-server mariadb-client openssl \
    && rm -rf /var/lib/apt/lists/* /var/lib/mysql/* \
    && install -d -o mysql -g mysql /run/mysqld
COPY --chmod=0755 mysql-entrypoint.sh /entrypoint
USER mysql
ENTRYPOINT ["/entrypoint"]
