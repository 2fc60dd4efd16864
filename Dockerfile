FROM python:3.13-slim AS build
WORKDIR /source
RUN python -m venv /opt/candle-ingestor
COPY requirements.txt ./
RUN /opt/candle-ingestor/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml README.md ./
COPY services services
RUN /opt/candle-ingestor/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
COPY --from=build /opt/candle-ingestor /opt/candle-ingestor
RUN useradd --uid 10001 --no-create-home candle-ingestor \
    && install -d -o 10001 -g 10001 /data
USER 10001:10001
WORKDIR /data
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["/opt/candle-ingestor/bin/candle-ingestor"]
