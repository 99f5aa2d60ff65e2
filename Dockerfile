# Build: docker build -t keystile .
# Run:   docker run -v keystile:/data -p 127.0.0.1:50051-50052:50051-50052 -e KEYSTILE_INSECURE=true keystile

FROM rust:1-slim-bookworm AS build
WORKDIR /build
COPY . .
# The caches keep the dependencies of the last build; the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked && cp target/release/keystile /usr/local/bin/keystile
RUN mkdir /empty

# No shell and no package manager; user 65532 is `nonroot`.
FROM gcr.io/distroless/cc-debian12:nonroot

ARG VERSION=dev
LABEL org.opencontainers.image.title="Keystile" \
      org.opencontainers.image.description="A gRPC service that issues, verifies, limits, revokes and audits API keys" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"

COPY --from=build /usr/local/bin/keystile /usr/local/bin/keystile
COPY --from=build --chown=65532:65532 /empty /data
COPY LICENSE /licenses/LICENSE

# A container is reached from outside of itself, so it listens on every address. Plaintext is refused there until it is
# asked for: set KEYSTILE_INSECURE=true where something in front terminates TLS.
ENV KEYSTILE_DATA_DIR=/data \
    KEYSTILE_VERIFY_LISTEN=0.0.0.0:50051 \
    KEYSTILE_ADMIN_LISTEN=0.0.0.0:50052 \
    KEYSTILE_METRICS_LISTEN=0.0.0.0:9464

USER 65532:65532
WORKDIR /data
VOLUME ["/data"]
EXPOSE 50051 50052 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/local/bin/keystile", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/keystile"]
