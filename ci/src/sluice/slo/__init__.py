"""Service level objectives: services/<name>/slo.yaml → rules of Prometheus and their promtool tests (docs/slo.md)."""
