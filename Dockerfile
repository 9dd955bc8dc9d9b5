# The worker, the API and the migrations: one image, three commands (docker-compose.temporal.yml).

FROM python:3.13-slim-trixie AS dependencies
WORKDIR /build
COPY requirements.lock .
# Wheels only and every hash checked: nothing is compiled, so no compiler is ever installed.
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: \
    --no-deps --require-hashes -r requirements.lock \
 && /venv/bin/pip uninstall --yes pip

FROM python:3.13-slim-trixie
RUN python -m pip uninstall --yes pip \
 && useradd --system --user-group --uid 10001 --no-create-home --shell /usr/sbin/nologin hcr
COPY --from=dependencies /venv /venv
# The root file system is read-only at run time: nothing can be written, and the logs go out line by line.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
COPY domain/ domain/
COPY workflows/ workflows/
COPY activities/ activities/
COPY gateways/ gateways/
COPY db/ db/
COPY messages/ messages/
COPY services/ services/
COPY web/ web/
COPY api/ api/
COPY portal/ portal/
COPY worker.py upkeep.py composition.py settings.py observability.py ./
# The typeface is prepared, and everything compiled once here instead of at every start, since PYTHONDONTWRITEBYTECODE keeps nothing.
RUN python -m portal.fonts && python -m compileall -q .
USER 10001:10001
CMD ["python", "-m", "api"]
