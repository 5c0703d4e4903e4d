# One image for every service of docker-compose.yml; the command names the parts.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/andon && \
    /opt/andon/bin/pip install --no-cache-dir --require-hashes -r requirements/run.lock && \
    /opt/andon/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/andon /opt/andon
RUN useradd --system --uid 10001 --home-dir /var/lib/andon --create-home andon
ENV PATH=/opt/andon/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER andon
WORKDIR /var/lib/andon
EXPOSE 8800
CMD ["andon", "run", "--config", "/etc/andon/plant.yaml"]
