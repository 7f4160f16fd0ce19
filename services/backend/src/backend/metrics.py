"""The backend's own metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from backend.models import Priority


class TaskMetrics:
    """Counts tasks by priority; every series is there from the start, at zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._created = Counter(
            "tasks_created_total", "Tasks created, those of a series included.", ["priority"], registry=registry
        )
        self._completed = Counter(
            "tasks_completed_total", "Tasks completed, again after a reopening too.", ["priority"], registry=registry
        )
        for priority in Priority:
            self._created.labels(priority.value)
            self._completed.labels(priority.value)

    def created(self, priority: Priority) -> None:
        """Count one created task."""
        self._created.labels(priority.value).inc()

    def completed(self, priority: Priority) -> None:
        """Count one completed task."""
        self._completed.labels(priority.value).inc()
