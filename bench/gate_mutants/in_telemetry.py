"""Mutants of what services tell of themselves: metrics, logs, traces."""

from bench.gate_mutants.faults import Change, Edit

_KIT = "services/servicekit/src/servicekit"
_OUTBOX = f"{_KIT}/outbox.py"
_SUBSCRIPTIONS = f"{_KIT}/subscriptions.py"
_EVENT_METRICS = f"{_KIT}/event_metrics.py"

MUTANTS = (
    Change(
        "unbounded-label",
        "the label `route` holds the path as it was asked for",
        (
            Edit(
                f"{_KIT}/observe.py",
                "    return template if isinstance(template, str) and template else UNMATCHED_ROUTE\n",
                '    return str(scope["path"]) if template else UNMATCHED_ROUTE\n',
            ),
        ),
        ("test_the_route_label_is_a_template_and_never_a_path",),
    ),
    Change(
        "missing-metric",
        "the age of the oldest event in the outbox is not exposed",
        (
            Edit(
                _EVENT_METRICS,
                '            "Age of the oldest unpublished event; 0 if none.",\n            registry=registry,\n',
                '            "Age of the oldest unpublished event; 0 if none.",\n            registry=None,\n',
            ),
        ),
        ("metrics/test_exposed.py",),
    ),
    Change(
        "renamed-metric",
        "event_delay_seconds is called event_latency_seconds",
        (Edit(_EVENT_METRICS, '"event_delay_seconds"', '"event_latency_seconds"'),),
        ("objective event-delay", "metrics/test_exposed.py"),
    ),
    Change(
        "title-logged",
        "the outbox logs whole events, with what users wrote",
        (Edit(_OUTBOX, 'task_id=event["subject"])', 'task_id=event["subject"], payload=row.event)'),),
        ("logs/test_backend_logs.py",),
    ),
    Change(
        "error-as-info",
        "errors are logged at level INFO",
        (
            Edit(
                f"{_KIT}/logs.py",
                '"level": str(event.pop("level")).upper(),',
                '"level": str(event.pop("level")).upper().replace("ERROR", "INFO"),',
            ),
        ),
        ("logs/",),
    ),
    Change(
        "request-id-lost",
        "a request's id is not the caller's",
        (Edit(f"{_KIT}/context.py", "RequestContext(request_id_from(headers),", "RequestContext(str(uuid.uuid4()),"),),
        ("test_a_request_id_is_echoed", "test_a_request_is_found"),
    ),
    Change(
        "trace-lost",
        "consumers begin a trace of their own",
        (
            Edit(
                _SUBSCRIPTIONS,
                "context.trace_id = trace_id_of(event.traceparent) or context.trace_id",
                "context.trace_id = context.trace_id or trace_id_of(event.traceparent)",
            ),
        ),
        ("events/test_trace.py",),
    ),
)
