# Airflow with this package, for every Airflow component. Simulators, tests and the local stack stay outside.
# Any Airflow image of Debian can be the base; its entry point stays: the official one is dumb-init and knows the Helm
# chart's commands.
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12

#checkov:skip=CKV_DOCKER_7:the tag is in the ARG, which checkov does not resolve
FROM ${AIRFLOW_IMAGE} AS build
USER 0
# mysqlclient has no wheel. Not pinned: a version that a security update replaced is gone from Debian's mirrors.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential default-libmysqlclient-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock deploy/image/drivers.lock deploy/image/executors.lock /build/
ENV PIP_USER=false
RUN python -m venv /opt/hubspot-sync \
    && /opt/hubspot-sync/bin/pip install --no-cache-dir --require-hashes \
       -r /build/requirements.lock -r /build/drivers.lock -r /build/executors.lock
USER 50000:0

FROM ${AIRFLOW_IMAGE}
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hubspot-sync" \
      org.opencontainers.image.description="Apache Airflow with the hubspot-sync DAGs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 0
# The empty airflow.cfg: without one Airflow writes its own, which a read-only root file system refuses.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 50000 -g 0 -m 0775 /opt/airflow/logs \
    && install -o 50000 -g 0 -m 0660 /dev/null /opt/airflow/airflow.cfg
COPY --from=build /opt/hubspot-sync /opt/hubspot-sync
COPY dags /opt/airflow/dags
COPY plugins /opt/airflow/plugins
COPY include /opt/airflow/include
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    PATH=/opt/hubspot-sync/bin:${PATH} \
    PYTHONPATH=/opt/airflow
# compiled now: later nobody may write here, and every task would compile anew
RUN python -m compileall -q /opt/airflow/dags /opt/airflow/plugins /opt/airflow/include
# the unprivileged user of the base image
USER 50000:0
# Right for scheduler, dag-processor and triggerer, which report to the metadata database; the API server needs its own.
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s \
    CMD ["airflow", "jobs", "check", "--local", "--allow-multiple", "--limit", "0"]
