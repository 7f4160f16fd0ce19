"""Who is told of which alert: amtool asks the rendered routes, helm refuses what would lose an alert."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .rendering import CLOUDS, PROFILES, REPOSITORY, Helm, of_kind, optional_tool, run

FOLDER = "/etc/alertmanager/secrets"
SEVERITIES = ("critical", "warning", "info", "none")
TEAMS = ("services", "platform")
SERVICES = tuple(sorted(path.parent.name for path in REPOSITORY.glob("services/*/service.toml")))
# Each kind of receiver once, and a team that has its own for one of the two severities.
RECEIVERS: dict[str, Any] = {
    "on-call": {"pagerduty": {"secret": "pager"}, "webhook": {"url": "http://bridge.ops:8080/alerts"}},
    "platform-on-call": {"pagerduty": {"secret": "platform-pager", "url": "https://events.example.org/v2/enqueue"}},
    "channel": {"slack": {"secret": "slack", "channel": "#alerts"}},
    "post": {
        "email": {
            "to": "team@example.org",
            "from": "alerts@example.org",
            "smarthost": "mail.example.org:587",
            "username": "alerts",
            "secret": "mail",
        }
    },
    "dead-man": {"webhook": {"secret": "dead-man"}},
}
ROUTES: dict[str, Any] = {
    "pages": "on-call",
    "tickets": "channel",
    "watchdog": "dead-man",
    "teams": {"platform": {"pages": "platform-on-call"}, "services": {"tickets": "post"}},
}


def values(tmp_path: Path, **changed: Any) -> tuple[str, ...]:
    """Arguments for helm: all receivers, with `changed` in the place of what alertmanager has."""
    whole = {"unattended": False, "receivers": RECEIVERS, "routes": ROUTES, **changed}
    file = tmp_path / f"{'-'.join(changed) or 'whole'}.yaml"  # what is rendered is kept by the arguments
    reached = {"receivers": {"outside": {"cidr": "192.0.2.0/24", "ports": [443]}}}
    file.write_text(yaml.safe_dump({"alertmanager": whole, "networkPolicy": reached}), encoding="utf-8")
    return "--values", str(file)


def rendered(helm: Helm, profile: str, *arguments: str) -> str:
    manifests = helm.manifests("monitoring", profile, *arguments)
    (secret,) = (one for one in of_kind(manifests, "Secret") if one["metadata"]["name"] == "alertmanager-config")
    return str(secret["stringData"]["alertmanager.yaml"])


def all_routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for below in route.get("routes", ()):
        yield from all_routes(below)


@pytest.fixture
def config(helm: Helm, tmp_path: Path) -> Path:
    file = tmp_path / "alertmanager.yaml"
    file.write_text(rendered(helm, "local", *values(tmp_path)), encoding="utf-8")
    return file


def told(config: Path, **labels: str) -> list[str]:
    """Whom an alert with these labels goes to, by amtool."""
    words = [f"{name}={value}" for name, value in labels.items()]
    result = run(optional_tool("amtool"), "config", "routes", "test", f"--config.file={config}", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip().split(",")


def expected(severity: str, team: str) -> str:
    if severity == "critical":
        return "platform-on-call" if team == "platform" else "on-call"
    if severity == "warning":
        return "post" if team == "services" else "channel"
    return "nobody"


@pytest.mark.parametrize("severity", SEVERITIES)
def test_every_severity_of_every_service_and_team_goes_where_it_should(config: Path, severity: str) -> None:
    for team in TEAMS:
        for service in SERVICES:
            alert = {"alertname": "Any", "severity": severity, "team": team, "service": service, "namespace": "default"}
            assert told(config, **alert) == [expected(severity, team)], alert


@pytest.mark.parametrize("severity", SEVERITIES)
def test_an_alert_without_team_or_service_goes_to_everybodys_receiver(config: Path, severity: str) -> None:
    whom = {"critical": "on-call", "warning": "channel"}.get(severity, "nobody")
    assert told(config, alertname="Any", severity=severity) == [whom]


def test_an_alert_of_no_known_severity_is_a_page(config: Path) -> None:
    assert told(config, alertname="Any") == ["on-call"]
    assert told(config, alertname="Any", severity="urgent", team="platform") == ["on-call"]


def test_the_watchdog_goes_to_the_dead_mans_switch_and_nowhere_else(config: Path) -> None:
    assert told(config, alertname="Watchdog", severity="none", team="platform") == ["dead-man"]
    route = yaml.safe_load(config.read_text(encoding="utf-8"))["route"]["routes"][0]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("0s", "1m", "1s")


def test_tickets_wait_for_business_hours_and_pages_do_not(helm: Helm, config: Path, tmp_path: Path) -> None:
    """amtool does not know the time: which routes have an interval is read. A route takes none over from its parent."""
    whole = yaml.safe_load(config.read_text(encoding="utf-8"))
    routes = list(all_routes(whole["route"]))
    timed = {route["receiver"] for route in routes if "active_time_intervals" in route}
    assert timed == {"channel", "post"}
    assert all(route["receiver"] not in timed for route in routes if "active_time_intervals" not in route)
    assert not any("mute_time_intervals" in route for route in routes)
    (interval,) = whole["time_intervals"]
    (hours,) = interval["time_intervals"]
    assert hours["weekdays"] == ["monday:friday"]
    assert hours["times"] == [{"start_time": "08:00", "end_time": "18:00"}]

    always = yaml.safe_load(rendered(helm, "local", *values(tmp_path, businessHours={"enabled": False})))
    assert "time_intervals" not in always
    assert not any("active_time_intervals" in route for route in all_routes(always["route"]))


@pytest.mark.parametrize("profile", PROFILES)
def test_amtool_accepts_every_profile(helm: Helm, tmp_path: Path, profile: str) -> None:
    for name, arguments in {"own": (), "all receivers": values(tmp_path)}.items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(rendered(helm, profile, *arguments), encoding="utf-8")
        result = run(optional_tool("amtool"), "check-config", file)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("profile", CLOUDS)
def test_on_a_cloud_somebody_is_told(helm: Helm, tmp_path: Path, profile: str) -> None:
    file = tmp_path / "alertmanager.yaml"
    file.write_text(rendered(helm, profile), encoding="utf-8")
    for labels in ({"severity": "critical"}, {"severity": "warning"}, {"alertname": "Watchdog", "severity": "none"}):
        assert told(file, **labels) != ["nobody"], labels


def test_secrets_are_files_that_the_operator_mounts(helm: Helm, config: Path, tmp_path: Path) -> None:
    text = config.read_text(encoding="utf-8")
    receivers = {one.pop("name"): one for one in yaml.safe_load(text)["receivers"]}
    assert receivers["channel"]["slack_configs"][0]["api_url_file"] == f"{FOLDER}/slack/url"
    assert receivers["on-call"]["pagerduty_configs"][0]["routing_key_file"] == f"{FOLDER}/pager/routing-key"
    assert receivers["post"]["email_configs"][0]["auth_password_file"] == f"{FOLDER}/mail/password"
    assert receivers["dead-man"]["webhook_configs"] == [{"url_file": f"{FOLDER}/dead-man/url", "send_resolved": True}]
    for kind in receivers.values():
        for config_of_one in (one for configs in kind.values() for one in configs):
            assert config_of_one["send_resolved"] is True
            assert not {"api_url", "routing_key", "service_key", "auth_password"} & set(config_of_one)
    (alertmanager,) = of_kind(helm.manifests("monitoring", "local", *values(tmp_path)), "Alertmanager")
    assert alertmanager["spec"]["secrets"] == ["dead-man", "mail", "pager", "platform-pager", "slack"]


def one(kind: str, **settings: Any) -> dict[str, Any]:
    """A receiver `on-call` of one kind, all routes to it."""
    routes = dict.fromkeys(("pages", "tickets", "watchdog"), "on-call")
    return {"receivers": {"on-call": {kind: settings}}, "routes": routes}


MAIL = {"to": "a@example.org", "from": "b@example.org", "smarthost": "mail:25"}


@pytest.mark.parametrize(
    ("changed", "says", "cure"),
    [
        (one("slack", channel="#a"), 'slack.secret = ""', "--from-file=url="),
        (one("slack", secret="s"), 'slack.channel = ""', "set alertmanager.receivers.on-call.slack.channel"),
        (one("pagerduty"), 'pagerduty.secret = ""', "--from-file=routing-key="),
        (one("webhook"), 'webhook: url "", secret ""', "--from-file=url="),
        (one("webhook", url="http://a", secret="s"), 'url "http://a", secret "s"', "--from-file=url="),
        (one("webhook", url="http://user:secret@a"), "webhook.url with @", "on-call.webhook.secret"),
        (one("webhook", url="http://a?token=secret"), "webhook.url with @ or ?", "on-call.webhook.secret"),
        (one("email", **{**MAIL, "to": ""}), 'email.to = ""', "set alertmanager.receivers.on-call.email.to"),
        (one("email", **{**MAIL, "smarthost": ""}), 'smarthost = ""', "on-call.email.smarthost"),
        (one("email", **MAIL, username="u"), 'username "u", secret ""', "--from-file=password="),
        (one("email", **MAIL, secret="s"), 'username "", secret "s"', "--from-file=password="),
        ({"receivers": RECEIVERS | {"empty": {}}}, "receivers.empty = {}", "or remove alertmanager.receivers.empty"),
        ({"receivers": RECEIVERS | {"idle": RECEIVERS["post"]}}, "receivers.idle", "set alertmanager.routes.pages"),
        ({"receivers": RECEIVERS | {"nobody": RECEIVERS["post"]}}, "receivers.nobody", "rename it"),
        ({"routes": ROUTES | {"pages": "on-cal"}}, 'routes.pages = "on-cal"', "add alertmanager.receivers.on-cal"),
        ({"routes": ROUTES | {"teams": {"web": {"tickets": "x"}}}}, 'teams.web.tickets = "x"', "receivers.x"),
        ({"routes": ROUTES | {"pages": ""}}, 'routes.pages = ""', "set alertmanager.routes.pages"),
        ({"routes": ROUTES | {"tickets": ""}}, 'routes.tickets = ""', "set alertmanager.routes.tickets"),
        ({"routes": ROUTES | {"watchdog": ""}}, 'routes.watchdog = ""', "set alertmanager.routes.watchdog"),
        ({"businessHours": {"from": "18:00", "to": "08:00"}}, "from 18:00 to 08:00", "set alertmanager.businessHours"),
    ],
)
def test_what_would_lose_alerts_is_refused_with_the_cure(
    helm: Helm, tmp_path: Path, changed: dict[str, Any], says: str, cure: str
) -> None:
    if "routes" in changed and "receivers" not in changed:  # a receiver without a route would be what is refused
        used = {name for name in [*changed["routes"].values(), "platform-on-call", "post"] if isinstance(name, str)}
        changed = {**changed, "receivers": {name: RECEIVERS[name] for name in used & set(RECEIVERS)}}
        changed["routes"] = {"teams": ROUTES["teams"], **changed["routes"]}
        changed["routes"]["teams"] = ROUTES["teams"] | changed["routes"]["teams"]
    result = helm.try_template("monitoring", "local", *values(tmp_path, **changed))
    assert result.returncode != 0, result.stdout
    assert "the chart monitoring would lose alerts: " in result.stderr
    found, _, following = result.stderr.partition("next: ")
    assert says in found, result.stderr
    assert cure in following, result.stderr


def test_a_secret_among_the_values_is_refused(helm: Helm, tmp_path: Path) -> None:
    for kind, key in (("slack", "url"), ("pagerduty", "routingKey"), ("email", "password"), ("webhook", "token")):
        result = helm.try_template("monitoring", "local", *values(tmp_path, **one(kind, **{key: "hidden"})))
        assert result.returncode != 0
        assert "hidden" not in result.stderr
        assert f"additional properties '{key}' not allowed" in result.stderr
