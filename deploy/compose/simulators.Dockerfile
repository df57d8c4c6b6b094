# What docker-compose.yaml needs beside Airflow and the databases: both simulators, S3 (MiniStack), and the job that
# applies airflow_settings.yaml. For development only; nothing of it is in the product's image.
ARG PYTHON_IMAGE=python:3.12-slim
#checkov:skip=CKV_DOCKER_7:the tag is in the ARG, which checkov does not resolve
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="hubspot-sync-simulators" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY deploy/compose/simulators.lock /build/
RUN python3 -m venv /opt/simulators \
    && /opt/simulators/bin/pip install --no-cache-dir --require-hashes -r /build/simulators.lock \
    && install -d -o 10001 -g 0 -m 0770 /data
COPY airflow_settings.yaml /srv/airflow_settings.yaml
COPY tools /srv/tools
ENV PATH=/opt/simulators/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv
USER 10001:0
CMD ["python", "-m", "tools.hubspot_simulator", "--host", "0.0.0.0", "--db", "/data/hubspot.db"]
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s \
    CMD ["python", "-m", "tools.compose.answers", "http://127.0.0.1:41820/__sim/health"]
