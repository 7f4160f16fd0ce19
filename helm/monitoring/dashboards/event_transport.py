"""The middle of Event Processing: the sidecars and the broker, which the services' own numbers do not see."""

from grafana_foundation_sdk.models import units

from .panels import Board, Limits, promql, quantile

LAG_LIMITS = Limits(100, 1000)
# Dapr's latencies are in milliseconds.
SIDECAR_LIMITS = Limits(250, 1000)
RATE = "[$__rate_interval]"


def sidecars(board: Board) -> None:
    """Dapr's part."""
    board.row("Dapr: the sidecars")
    outgoing, incoming = "dapr_component_pubsub_egress", "dapr_component_pubsub_ingress"
    board.graph(
        "Publications by topic",
        "Events that sidecars gave to the broker in each second.",
        units.EventsPerSecond,
        promql(f"sum by (topic, success) (rate({outgoing}_count{{<sidecar>}}{RATE}))", "{{topic}} success={{success}}"),
        alerts=["DaprPublishFailing"],
    )
    board.graph(
        "Deliveries by topic",
        "Events that sidecars gave to a service in each second, by what it answered.",
        units.EventsPerSecond,
        promql(
            f"sum by (topic, process_status) (rate({incoming}_count{{<sidecar>}}{RATE}))",
            "{{topic}} {{process_status}}",
        ),
        alerts=["DaprDeliveriesRetried", "DaprEventsDropped"],
    )
    board.graph(
        "Resiliency at work",
        "How often in each second a retry, a timeout or a circuit breaker stepped in; without trouble there is none.",
        units.OpsPerSecond,
        promql(
            f"sum by (policy, target, status) (rate(dapr_resiliency_activations_total{{<sidecar>}}{RATE}))",
            "{{policy}} {{target}} {{status}}",
        ),
        alerts=["DaprResiliencyTripping", "DaprCircuitBreakerOpen"],
    )
    board.graph(
        "p95 of publishing by service",
        "How long the broker takes to confirm an event, as the sidecar sees it.",
        units.Milliseconds,
        promql(quantile(0.95, f"{outgoing}_latencies_bucket{{<sidecar>}}", "service"), "{{service}}"),
        limits=SIDECAR_LIMITS,
        alerts=["DaprPublishSlow"],
        width=12,
    )
    board.graph(
        "p95 of delivering by service",
        "How long a service takes to answer a delivery, as the sidecar sees it.",
        units.Milliseconds,
        promql(quantile(0.95, f"{incoming}_latencies_bucket{{<sidecar>}}", "service"), "{{service}}"),
        limits=SIDECAR_LIMITS,
        alerts=["DaprDeliverySlow"],
        width=12,
    )


def broker(board: Board) -> None:
    """Kafka's part."""
    board.row("Kafka: the broker")
    board.graph(
        "Lag by consumer group",
        "Messages of a topic that a group has not confirmed. Growing means that the consumer is too slow or gone.",
        units.Short,
        promql("sum by (consumergroup, topic) (kafka_consumergroup_lag{<namespace>})", "{{consumergroup}} {{topic}}"),
        limits=LAG_LIMITS,
        alerts=["KafkaConsumerLagGrowing", "KafkaConsumerStalled"],
    )
    board.graph(
        "Members by consumer group",
        "Replicas that take part in a group: one for each sidecar that is subscribed.",
        units.Short,
        promql("sum by (consumergroup) (kafka_consumergroup_members{<namespace>})", "{{consumergroup}}"),
        alerts=["KafkaConsumerGroupEmpty", "DaprAppUnsubscribed"],
    )
    topics = "kafka_server_brokertopicmetrics"
    board.graph(
        "Messages by topic",
        "Messages that the broker took in each second.",
        units.MessagesPerSecond,
        promql(f"sum by (topic) (rate({topics}_messagesin_total{{<namespace>}}{RATE}))", "{{topic}}"),
    )
    board.graph(
        "Bytes in and out",
        "What producers send and consumers fetch, of all topics.",
        units.BytesPerSecondSI,
        promql(f"sum(rate({topics}_bytesin_total{{<namespace>}}{RATE}))", "in"),
        promql(f"sum(rate({topics}_bytesout_total{{<namespace>}}{RATE}))", "out"),
    )
    board.graph(
        "p99 of requests to the broker",
        "The time that the broker takes for a request; a fetch also waits for messages to come.",
        units.Milliseconds,
        promql(
            'max by (request) (kafka_network_requestmetrics_totaltimems{<namespace>, quantile="0.99"})', "{{request}}"
        ),
        alerts=["KafkaWritesSlow"],
    )
    board.graph(
        "Requests that the broker failed",
        "Requests to produce and to fetch that ended with an error, in each second.",
        units.OpsPerSecond,
        promql(f"sum(rate({topics}_failedproducerequests_total{{<namespace>}}{RATE}))", "produce"),
        promql(f"sum(rate({topics}_failedfetchrequests_total{{<namespace>}}{RATE}))", "fetch"),
        alerts=["KafkaRequestsFailing"],
    )
    board.graph(
        "Size on disk by topic",
        "Bytes of the topics' logs, which retention bounds.",
        units.BytesIEC,
        promql("sum by (topic) (kafka_log_log_size{<namespace>})", "{{topic}}"),
        alerts=["KafkaLogFilling"],
    )
    board.graph(
        "Partitions out of order",
        "Partitions that nobody leads, that lack replicas in step, or that lack so many that nothing can be written.",
        units.Short,
        promql("sum(kafka_controller_kafkacontroller_offlinepartitionscount{<namespace>})", "offline"),
        promql("sum(kafka_server_replicamanager_underreplicatedpartitions{<namespace>})", "under-replicated"),
        promql("sum(kafka_server_replicamanager_underminisrpartitioncount{<namespace>})", "below the minimum"),
        limits=Limits(1, 1),
        alerts=["KafkaOfflinePartitions", "KafkaUnderReplicated", "KafkaUnderMinIsr"],
    )
    board.graph(
        "Active controllers",
        "Brokers that hold the controller's office: it has to be one.",
        units.Short,
        promql("sum(kafka_controller_kafkacontroller_activecontrollercount{<namespace>})", "controllers"),
        limits=Limits(1, 1, falling=True),
        alerts=["KafkaNoController"],
    )
