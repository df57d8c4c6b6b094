# Stands in for apache/airflow where no image registry can be reached: the same user, folders and entry point. Airflow
# itself is not in it, because the product's image installs its own. Debian's Python has its headers in a package apart.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --gid 0 --create-home --home-dir /home/airflow airflow \
    && ln -s /usr/bin/python3 /usr/local/bin/python \
    && install -d -o 50000 -g 0 -m 0775 /opt/airflow
COPY --chmod=0755 airflow-entrypoint.sh /entrypoint
ENV AIRFLOW_HOME=/opt/airflow
WORKDIR /opt/airflow
USER 50000
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "/entrypoint"]
