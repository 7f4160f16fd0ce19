"""slo.yaml: what is read, and every mistake at once with its file and line."""

from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.slo.trees import SLO, tree

from sluice.errors import SloError
from sluice.slo.load import load_slos


def mistakes(root: Path, text: str) -> list[str]:
    with pytest.raises(SloError) as caught:
        load_slos(tree(root, text))
    return list(caught.value.mistakes)


def test_what_a_file_says_is_read(tmp_path: Path) -> None:
    (slo,) = load_slos(tree(tmp_path))["kettle"]
    assert (slo.name, slo.spec.service, slo.percent) == ("availability", "kettle", "99.9 %")
    # In binary 1 - 0.999 is 0.0010000000000000009.
    assert slo.budget == Decimal("0.001")


def test_a_service_may_have_none(tmp_path: Path) -> None:
    (tmp_path / "services" / "teapot").mkdir(parents=True)
    assert load_slos(tmp_path) == {}
    assert list(load_slos(tree(tmp_path))) == ["kettle"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("openslo/v1\n", "openslo/v2\n", "slo.yaml:1: apiVersion: "),
        ("kind: SLO", "kind: SLI", "slo.yaml:2: kind: "),
        ("  name: availability", "  name: Availability", "slo.yaml:4: metadata.name: "),
        ("  description: Requests that are answered.\n", "", "slo.yaml:8: spec.description: is missing"),
        (
            "  service: kettle",
            "  service: teapot",
            "slo.yaml:10: spec.service: teapot is not the folder",
        ),
        ("        bad:", "        good:", "ok"),
        ("        bad:", "        worse:", "ratioMetric.worse: no such key"),
        ("type: Prometheus", "type: Datadog", "metricSource.type: "),
        ("sum by (namespace, service)", "sum", "lacks by (namespace, service)"),
        ('{service="kettle"}', "{}", 'lacks service="kettle"'),
        ("[{{.window}}]", "[5m]", "lacks [{{.window}}"),
        ("[{{.window}}]", "[{{.window}}] + {{.x}}", "no such placeholder: {{.x}}"),
        ("duration: 30d", "duration: 28d", "slo.yaml:28: spec.timeWindow.0.duration: "),
        ("isRolling: true", "isRolling: false", "isRolling: "),
        ("Occurrences", "Timeslices", "budgetingMethod: "),
        ("target: 0.999", "target: 0.9", "slo.yaml:32: spec.objectives.0.target: "),
        ("target: 0.999", "target: 1", "slo.yaml:32: spec.objectives.0.target: "),
        ("target: 0.999", 'target: "0.999"', "slo.yaml:32: spec.objectives.0.target: "),
        ("    sluice/example-bad:", "    sluice/example-worse:", "sluice/example-bad is missing"),
        (
            "    sluice/example-bad:",
            "    sluice/example-worse:",
            "slo.yaml:7: metadata.annotations.sluice",
        ),
        ('"500"} +1', '"500"} 1x5', "a series and +1, a number or now is expected"),
        ('"500"} +1', '"200"} 7', "is a counter in one line and a gauge in another"),
        ('{status="500"} +1', '{status="500"} 7', "is a gauge: it has a value in good and in bad"),
        ("kind: SLO", "kind: SLO\nkind: SLO", "slo.yaml:3: kind is there twice"),
        ("kind: SLO", "kind: [SLO", "slo.yaml:"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in SLO
    text = SLO.replace(old, new, 1)
    if expected == "ok":
        assert load_slos(tree(tmp_path, text))["kettle"]
    else:
        assert expected in "\n".join(mistakes(tmp_path, text))


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    tree(tmp_path, SLO.replace("kettle", "teapot").replace("0.999", "2"), "teapot")
    found = mistakes(tmp_path, SLO.replace("30d", "7d").replace("Occurrences", "Wishes"))
    assert [line.split(":")[0] for line in found] == [*["services/kettle/slo.yaml"] * 2, "services/teapot/slo.yaml"]


def test_a_budget_is_not_finer_than_what_it_counts(tmp_path: Path) -> None:
    gauge = SLO.replace('requests_total{status="200"} +1', "age 0").replace('requests_total{status="500"} +1', "age 9")
    assert "at most 0.995" in "\n".join(mistakes(tmp_path, gauge))
    assert load_slos(tree(tmp_path, gauge.replace("0.999", "0.995")))


def test_good_or_bad_is_given_and_not_both(tmp_path: Path) -> None:
    good = SLO[SLO.index("        bad:") : SLO.index("        total:")].replace("bad:", "good:")
    expected = "good or bad, one of them"
    assert expected in "\n".join(mistakes(tmp_path, SLO.replace("        total:", good + "        total:")))


def test_a_name_and_an_example_are_given_once(tmp_path: Path) -> None:
    (repeated,) = {line.split(": ", 1)[1] for line in mistakes(tmp_path, SLO + "---\n" + SLO) if "twice" in line}
    assert repeated == "availability is there twice"
    other = SLO.replace("  name: availability", "  name: other")
    assert "is an example of availability too" in "\n".join(mistakes(tmp_path, SLO + "---\n" + other))


def test_an_empty_file_is_a_mistake(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "# nothing yet\n") == [
        "services/kettle/slo.yaml:1: is empty: a service without objectives has no such file"
    ]
