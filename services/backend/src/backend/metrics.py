"""The backend's own metric."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from backend.models import Priority


class TaskMetrics:
    """Counts created tasks by priority; every series is there from the start, at zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._created = Counter("tasks_created_total", "Tasks created, by priority.", ["priority"], registry=registry)
        for priority in Priority:
            self._created.labels(priority.value)

    def created(self, priority: Priority) -> None:
        """Count one created task."""
        self._created.labels(priority.value).inc()
