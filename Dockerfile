# syntax=docker/dockerfile:1
# Three images from one file:
#   docker build --target listen     -t watchbot .             runs a command for every message
#   docker build --target services   -t watchbot-services .    watchbot record, schedule and the tools
#   docker build --target standalone -t watchbot-standalone .  /opt/watchbot alone, to copy into an
#                                                              image of any kind
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
RUN python -m venv /opt/watchbot
COPY pyproject.toml constraints.txt README.md CHANGELOG.md LICENSE ./
COPY watchbot watchbot
# Hints of a missing extra then say how this image is built with it.
RUN echo image > watchbot/installed_as
ARG EXTRAS=
RUN /opt/watchbot/bin/pip install --no-cache-dir --disable-pip-version-check \
      --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}"

FROM build AS build-services
RUN /opt/watchbot/bin/pip install --no-cache-dir --disable-pip-version-check \
      --constraint constraints.txt '.[postgres,redis,schedule,tools]'

FROM python:${PYTHON}-slim AS services
LABEL org.opencontainers.image.title="watchbot services" \
      org.opencontainers.image.description="The state of ECS tasks, and the tools of an operator" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build-services /opt/watchbot /opt/watchbot
ENV PATH=/opt/watchbot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WATCHBOT_METRICS_PORT=9090
# ECS mounts an empty directory here, owned by root; this has it keep the image's own rights.
VOLUME /tmp
USER 10001:10001
WORKDIR /tmp
EXPOSE 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["watchbot", "healthcheck"]
ENTRYPOINT ["watchbot"]
CMD ["--help"]

FROM python:${PYTHON}-slim AS build-standalone
WORKDIR /src
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev
COPY pyproject.toml constraints.txt README.md CHANGELOG.md LICENSE ./
COPY release release
COPY watchbot watchbot
RUN python -m release.standalone /build && tar -C /opt -xzf /build/watchbot-*.tar.gz

FROM scratch AS standalone
COPY --from=build-standalone /opt/watchbot /opt/watchbot

# The last stage is what `docker build .` makes.
FROM python:${PYTHON}-slim AS listen
LABEL org.opencontainers.image.title="watchbot" \
      org.opencontainers.image.description="Runs a command for every message of an SQS queue" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/watchbot /opt/watchbot
ENV PATH=/opt/watchbot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WATCHBOT_METRICS_PORT=9090
# ECS mounts an empty directory here, owned by root; this has it keep the image's own rights.
VOLUME /tmp
USER 10001:10001
WORKDIR /tmp
EXPOSE 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["watchbot", "healthcheck"]
# watchbot is process 1: signals reach it, and it reaps what workers leave behind.
ENTRYPOINT ["watchbot", "listen"]
