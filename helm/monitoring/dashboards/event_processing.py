"""Event Processing: from the outbox through Dapr and Kafka to the consumer, and what waits on the way."""

from grafana_foundation_sdk.models import units

from .event_transport import LAG_LIMITS, broker, sidecars
from .panels import Board, Limits, metric_values, metrics_source, promql, quantile

DELAY = "event_delay_seconds_bucket{<service>}"
DELAY_LIMITS = Limits(2.5, 30)
AGE_LIMITS = Limits(30, 60)
RATE = "[$__rate_interval]"


def board() -> Board:
    """The dashboard."""
    board = Board(
        "event-processing",
        "Event Processing (Kafka and Dapr)",
        "Events on their way: written, published, kept by the broker, delivered, and what came of them.",
        [
            metrics_source(),
            metric_values("namespace", "Namespace", "label_values(events_published_total, namespace)", first="default"),
            metric_values(
                "service",
                "Service",
                'label_values(events_published_total{namespace="$namespace"}, service)',
                several=True,
            ),
        ],
    )
    _glance(board)
    _services(board)
    sidecars(board)
    broker(board)
    _effects(board)
    return board


def _glance(board: Board) -> None:
    board.row("At a glance")
    board.stat(
        "Oldest unpublished event",
        "How long the oldest event has waited in an outbox; 0 where none does. It grows while the broker is away.",
        units.Seconds,
        promql("max(outbox_oldest_event_age_seconds{<service>})"),
        limits=AGE_LIMITS,
        alerts=["OutboxStale"],
    )
    board.stat(
        "p95 event delay",
        "95 % of the events have their effect within this time after what they tell of.",
        units.Seconds,
        promql(quantile(0.95, DELAY)),
        limits=DELAY_LIMITS,
        alerts=["EventDelayHigh"],
    )
    board.stat(
        "Consumer lag",
        "Messages in the broker that a consumer has not yet confirmed, the group with the most.",
        units.Short,
        promql("max(sum by (consumergroup) (kafka_consumergroup_lag{<namespace>}))"),
        limits=LAG_LIMITS,
        alerts=["KafkaConsumerLagGrowing"],
    )
    board.stat(
        "Dead letters",
        "Events that a consumer gave up within the time range.",
        units.Short,
        promql('round(sum(increase(events_consumed_total{<service>, outcome="dead"}[$__range])))'),
        limits=Limits(1, 10),
        alerts=["EventsDeadLettered"],
    )
    board.stat(
        "Under-replicated partitions",
        "Partitions with fewer replicas in step than they should have.",
        units.Short,
        promql("sum(kafka_server_replicamanager_underreplicatedpartitions{<namespace>})"),
        limits=Limits(1, 1),
        alerts=["KafkaUnderReplicated"],
    )
    board.stat(
        "Sidecars that answer",
        "The share of the services' Dapr sidecars that Prometheus reaches.",
        units.PercentUnit,
        promql("avg(up{<sidecar>})"),
        limits=Limits(1, 0.5, falling=True),
        alerts=["DaprUnavailable", "DaprSidecarDown"],
    )


def _services(board: Board) -> None:
    board.row("The services: outbox and inbox")
    board.graph(
        "Published by type",
        "Events that the broker took in each second, by type.",
        units.EventsPerSecond,
        promql(f'sum by (type) (rate(events_published_total{{<service>, outcome="published"}}{RATE})) > 0', "{{type}}"),
    )
    board.graph(
        "Deliveries by outcome",
        "Answers to deliveries in each second: done, duplicate, ignored, retried, dead.",
        units.EventsPerSecond,
        promql(f"sum by (outcome) (rate(events_consumed_total{{<service>}}{RATE}))", "{{outcome}}"),
        alerts=["EventsIgnored", "EventDeliveriesRefused"],
    )
    board.graph(
        "Attempts to publish that failed",
        "Events that the sidecar did not take in each second; they stay in the outbox and are tried again.",
        units.EventsPerSecond,
        promql(f'sum by (service) (rate(events_published_total{{<service>, outcome="failed"}}{RATE}))', "{{service}}"),
        alerts=["EventPublishingFailing"],
    )
    board.graph(
        "p95 event delay by service",
        "From an event's own time to its effect in a consumer.",
        units.Seconds,
        promql(quantile(0.95, DELAY, "service"), "{{service}}"),
        limits=DELAY_LIMITS,
        alerts=["EventDelayHigh"],
    )
    board.graph(
        "p95 of handling by service",
        "The time that a consumer's own work on one delivery takes.",
        units.Seconds,
        promql(quantile(0.95, "event_handling_duration_seconds_bucket{<service>}", "service"), "{{service}}"),
        limits=Limits(0.25, 1),
        alerts=["EventHandlingSlow"],
    )
    board.graph(
        "Unpublished events by service",
        "Events that are committed and not yet with the broker.",
        units.Short,
        promql("max by (service) (outbox_pending_events{<service>})", "{{service}}"),
        limits=Limits(50, 100),
        alerts=["OutboxGrowing"],
    )
    board.graph(
        "Age of the oldest unpublished event",
        "How long the oldest event of a service's outbox has waited.",
        units.Seconds,
        promql("max by (service) (outbox_oldest_event_age_seconds{<service>})", "{{service}}"),
        limits=AGE_LIMITS,
        width=12,
        alerts=["OutboxStale"],
    )
    board.graph(
        "Retried and dead, by consumer",
        "Deliveries in each second that failed: to be tried again, or given up.",
        units.EventsPerSecond,
        promql(
            f'sum by (service, outcome) (rate(events_consumed_total{{<service>, outcome=~"retried|dead"}}{RATE}))',
            "{{service}} {{outcome}}",
        ),
        width=12,
        alerts=["EventsRetried", "EventsDeadLettered"],
    )


def _effects(board: Board) -> None:
    board.row("What comes of events")
    board.graph(
        "Occurrences by outcome",
        "Completed recurring tasks in each minute: the next one published, a duplicate, the series' end, refused.",
        units.Short,
        promql(f"sum by (outcome) (rate(occurrences_published_total{{<service>}}{RATE})) * 60", "{{outcome}}"),
        alerts=["OccurrencesRefused"],
    )
    board.graph(
        "Reminders by outcome",
        "Reminders in each minute whose time had come: published, or dropped because the task is long past.",
        units.Short,
        promql(f"sum by (outcome) (rate(reminders_due_total{{<service>}}{RATE})) * 60", "{{outcome}}"),
        alerts=["RemindersDropped"],
    )
    board.graph(
        "Since the scheduler's last look",
        "How long ago the scheduler looked for due reminders, in the replica that looked last.",
        units.Seconds,
        promql("time() - max by (service) (scheduler_last_look_timestamp_seconds{<service>})", "{{service}}"),
        limits=Limits(60, 120),
        alerts=["SchedulerStalled", "SchedulerReplicaStalled"],
    )
    board.graph(
        "Attempts to notify, by outcome",
        "Attempts in each minute to reach a user: delivered, to be tried again, given up.",
        units.Short,
        promql(
            f"sum by (channel, outcome) (rate(notifications_sent_total{{<service>}}{RATE})) * 60",
            "{{channel}} {{outcome}}",
        ),
        alerts=["NotificationDeliveriesFailing", "NotificationsGivenUp"],
    )
    board.graph(
        "Deliveries that wait",
        "Notifications that are neither delivered nor given up.",
        units.Short,
        promql("max by (service) (notification_deliveries_pending{<service>})", "{{service}}"),
        limits=Limits(50, 100),
        alerts=["NotificationBacklog"],
    )
    board.graph(
        "p95 delay of reminders",
        "From a reminder's time to its publication.",
        units.Seconds,
        promql(quantile(0.95, "reminder_delay_seconds_bucket{<service>}", "service"), "{{service}}"),
        limits=Limits(10, 60),
        alerts=["RemindersLate"],
    )
    board.graph(
        "p95 of an attempt to notify, by channel",
        "How long a webhook or a mail server takes to answer.",
        units.Seconds,
        promql(quantile(0.95, "notification_delivery_duration_seconds_bucket{<service>}", "channel"), "{{channel}}"),
    )
    board.graph(
        "Entries in the audit chain",
        "How long the chain of everything that happened is; it never shrinks.",
        units.Short,
        promql("max by (service) (audit_chain_length{<service>})", "{{service}}"),
        alerts=["AuditChainBroken"],
    )
