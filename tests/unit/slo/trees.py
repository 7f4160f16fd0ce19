"""A source tree with one service and its objectives."""

from pathlib import Path

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: availability
  annotations:
    sluice/example-good: requests_total{status="200"} +1
    sluice/example-bad: requests_total{status="500"} +1
spec:
  description: Requests that are answered.
  service: kettle
  indicator:
    metadata:
      name: kettle-availability
    spec:
      ratioMetric:
        counter: true
        bad:
          metricSource:
            type: Prometheus
            spec:
              query: sum by (namespace, service) (increase(requests_total{service="kettle",status="500"}[{{.window}}]))
        total:
          metricSource:
            type: Prometheus
            spec:
              query: sum by (namespace, service) (increase(requests_total{service="kettle"}[{{.window}}]))
  timeWindow:
    - duration: 30d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - target: 0.999
"""


def tree(root: Path, text: str = SLO, service: str = "kettle") -> Path:
    """Lay out a service with a slo.yaml, and return the root."""
    folder = root / "services" / service
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slo.yaml").write_text(text, encoding="utf-8")
    return root
