# All of driftline's services in one image; the command says which one runs.
#
#   docker build -t driftline .
#   docker build -t driftline --build-arg EXTRAS=embedded,registry .    for `driftline up`, with the engine

ARG PYTHON=3.13.5-slim-bookworm

FROM python:${PYTHON} AS build
ARG EXTRAS=services,registry
WORKDIR /src
COPY LICENSE README.md constraints.txt pyproject.toml ./
COPY dashboards/grafana dashboards/grafana
COPY docs/runbooks docs/runbooks
COPY schemas schemas
COPY services services
# Without pip: whoever breaks in finds nothing to install with.
RUN python -m venv --without-pip /opt/driftline \
    && pip --python /opt/driftline/bin/python install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}
# A volume that is mounted there belongs to the same user.
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/driftline driftline \
    && pip uninstall --yes --root-user-action ignore pip
COPY --from=build /opt/driftline /opt/driftline
ENV PATH=/opt/driftline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_DATA_HOME=/var/lib/driftline \
    DRIFTLINE_LOG_FORMAT=json \
    DRIFTLINE_LOG_LEVEL=info \
    HEALTH_URL=http://127.0.0.1:8321/healthz
WORKDIR /var/lib/driftline
USER 10001:10001
EXPOSE 8321 8322 8323
STOPSIGNAL SIGTERM
# A container may be given a proxy, which is not to be asked for what is in here.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["env", "no_proxy=*", "python", "-c", \
         "import os, urllib.request as r; r.urlopen(os.environ['HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["driftline"]
CMD ["--help"]
