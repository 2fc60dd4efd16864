"""The production store: a bucket of an InfluxDB 2."""
