# Airflow with this package, for every Airflow component. Simulators, tests and the local stack stay outside.
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12

FROM ${AIRFLOW_IMAGE} AS build
USER root
# mysqlclient has no wheel
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential default-libmysqlclient-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /build/
ENV PIP_USER=false
RUN python -m venv /opt/hubspot-sync \
    && /opt/hubspot-sync/bin/pip install --no-cache-dir --require-hashes -r /build/requirements.lock

FROM ${AIRFLOW_IMAGE}
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/hubspot-sync /opt/hubspot-sync
COPY dags /opt/airflow/dags
COPY include /opt/airflow/include
ENV PATH=/opt/hubspot-sync/bin:${PATH} \
    PYTHONPATH=/opt/airflow \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
# the unprivileged user of the base image
USER 50000:0
