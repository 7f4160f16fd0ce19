"""Prometheus by its HTTP API: `client` implements ports.Metrics and reads targets and rules."""
