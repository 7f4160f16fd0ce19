"""Mutants of what surrounds the services: the image, the charts, the alerts, the dashboards."""

from bench.gate_mutants.faults import Change, Edit

_LIB = "helm/lib/templates"
# The same each time, so that the layer is built once; and nothing compresses it.
_MORE = "import random; open('/opt/more', 'wb').write(random.Random(6).randbytes(200_000_000))"
_BOARDS = "helm/monitoring/dashboards"

_DEPLOYED = (
    Change(
        "image-grown",
        "each image has 200 MB more, which nobody needs",
        (
            Edit(
                "services/Dockerfile",
                "WORKDIR /app\n",
                f'RUN python3 -c "{_MORE}"\nWORKDIR /app\n',
            ),
        ),
        ("objective image",),
    ),
    Change(
        "restart-loop",
        "the liveness probe asks for a path that is not there",
        (
            # Where services call it: Loki's probe is of the same template.
            Edit(f"{_LIB}/_deployment.tpl", '"live" "/healthz"', '"live" "/alive"'),
        ),
        ("objective restarts", "step install"),
    ),
    Change(
        "root-user",
        "services run as root, on a file system that they may write",
        (
            # Where services call it: Loki, of the same template, would not start.
            Edit(
                f"{_LIB}/_deployment.tpl",
                'include "lib.podSecurityContext" 65532 |',
                'include "lib.podSecurityContext" 0 | replace "NonRoot: true" "NonRoot: false" |',
            ),
            Edit(
                f"{_LIB}/_deployment.tpl",
                'include "lib.containerSecurityContext" . |',
                'include "lib.containerSecurityContext" . | replace "System: true" "System: false" |',
            ),
        ),
        ("test_its_pods_are_locked_and_bounded",),
    ),
    Change(
        "no-limits",
        "services may take all memory and processors of a node",
        (
            Edit(
                f"{_LIB}/_deployment.tpl",
                "{{- toYaml .Values.resources | nindent 2 }}",
                '{{- toYaml (omit .Values.resources "limits") | nindent 2 }}',
            ),
        ),
        ("test_its_pods_are_locked_and_bounded",),
    ),
    Change(
        "scrape-broken",
        "services are scraped at a path that they do not have",
        (
            Edit(
                f"{_LIB}/_service.tpl",
                "    - port: http\n      path: /metrics\n",
                "    - port: http\n      path: /metric\n",
            ),
        ),
        ("services/test_every_service.py", "metrics/", "objective targets-up"),
    ),
    Change(
        "alert-route",
        "warnings are sent to nobody",
        (
            Edit(
                "helm/monitoring/templates/_routing.tpl",
                "    - matchers: [severity = warning]\n      receiver: {{ $tickets }}\n",
                "    - matchers: [severity = warning]\n      receiver: nobody\n",
            ),
        ),
        ("logs/test_log_alerts.py",),
    ),
)

# Found before anything is deployed: a cluster would tell only while the fault that they are about is there.
_CHECKED = (
    Change(
        "alert-severity",
        "an alert that should be a page is for information only",
        (
            Edit(
                "helm/monitoring/rules/services.yaml",
                "          severity: critical\n          team: services\n        annotations:\n"
                '          summary: "{{ $labels.service }} answers too many requests with an error"\n',
                "          severity: info\n          team: services\n        annotations:\n"
                '          summary: "{{ $labels.service }} answers too many requests with an error"\n',
            ),
        ),
        ("tests/rules/test_rules.py",),
        by="checks",
    ),
    Change(
        "slo-weakened",
        "the backend's objective is 99 % in the rules, and 99.9 % where it is written",
        (
            Edit(
                "helm/monitoring/rules/slo-backend.yaml",
                "        expr: vector(0.999)\n        labels: {service: backend, slo: availability}\n",
                "        expr: vector(0.99)\n        labels: {service: backend, slo: availability}\n",
            ),
        ),
        ("tests/rules/",),
        by="checks",
    ),
    Change(
        "dashboard-metric",
        "a panel asks for a metric that nothing exposes",
        (
            Edit(f"{_BOARDS}/websocket_metrics.py", "rate(sync_stale_events_total{", "rate(sync_old_events_total{"),
            Edit(f"{_BOARDS}/websocket-metrics.json", "rate(sync_stale_events_total{", "rate(sync_old_events_total{"),
        ),
        ("tests/rules/",),
        by="checks",
    ),
    Change(
        "network-open",
        "services' pods may connect to anything",
        (Edit(f"{_LIB}/_networkpolicy.tpl", "  policyTypes: [Ingress, Egress]\n", "  policyTypes: [Ingress]\n"),),
        ("tests/charts/test_network.py", "tests/charts/test_adopted.py"),
        by="checks",
    ),
)

MUTANTS = (*_DEPLOYED, *_CHECKED)
