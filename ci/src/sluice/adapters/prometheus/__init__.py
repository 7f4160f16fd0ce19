"""Prometheus by its HTTP API: `client` implements ports.Metrics; `alerting` and `alertmanager` ask its sibling."""
