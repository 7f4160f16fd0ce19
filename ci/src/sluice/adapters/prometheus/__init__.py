"""Prometheus by its HTTP API: `client` implements ports.Metrics; `alertmanager` asks its sibling."""
