"""Criteria with a change against passed releases: how they are read, what they allow, how their mistakes are told."""

from pathlib import Path

import pytest
from tests.unit.gate.test_policy import HEAD, OBJECTIVE, mistakes, written

from sluice.policy import Criterion, load_policy

RELATIVE = Criterion.parse(["<= 0.5", "<= +10 %"])


def test_a_bound_and_a_change_are_read_in_either_order() -> None:
    assert Criterion.parse(["<= +10%", "<= 0.5"]) == RELATIVE == Criterion("<=", 0.5, 10.0)
    assert (str(RELATIVE), RELATIVE.relative) == ("<= 0.5", "<= +10 %")
    assert (Criterion.parse(["> 5"]), Criterion.parse("> 5").relative) == (Criterion("> 5"[0], 5), "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("criterion", "value", "low", "high", "holds"),
    [
        pytest.param(RELATIVE, 0.2, None, None, True, id="without a baseline the bound alone decides"),
        pytest.param(RELATIVE, 0.6, 0.1, 9.0, False, id="no baseline makes good what misses the bound"),
        pytest.param(RELATIVE, 0.22, 0.1, 0.2, True, id="on the limit"),
        pytest.param(RELATIVE, 0.2201, 0.1, 0.2, False, id="beyond the limit of the upper end"),
        pytest.param(RELATIVE, 0.0, 0.0, 0.0, True, id="nothing is divided by a baseline of 0"),
        pytest.param(RELATIVE, 1e-9, 0.0, 0.0, False, id="of nothing, ten percent more is nothing"),
        pytest.param(RELATIVE, float("nan"), 0.1, 0.2, False, id="NaN meets nothing"),
        pytest.param(RELATIVE, 0.1, 0.1, float("nan"), False, id="nor does a baseline of NaN let anything pass"),
        pytest.param(Criterion(">=", 0, -5.0), 0.95, 1.0, 2.0, True, id="more is better: the lower end counts"),
        pytest.param(Criterion(">=", 0, -5.0), 0.94, 1.0, 2.0, False, id="below it"),
        pytest.param(Criterion("<=", 0, 10.0), -0.9, -2.0, -1.0, True, id="ten percent more of a negative is higher"),
        pytest.param(Criterion("<=", 0, 10.0), -0.8, -2.0, -1.0, False, id="by ten percent of its size"),
    ],
)
def test_a_change_is_held_against_the_kinder_end_of_the_interval(
    criterion: Criterion, value: float, low: float | None, high: float | None, holds: bool
) -> None:
    assert criterion.holds(value, low=low, high=high) is holds


@pytest.mark.parametrize(
    ("loose", "strict", "allows"),
    [
        ("<= 1", ["<= 0.5", "<= +10 %"], True),
        (["<= 1", "<= +20 %"], ["<= 0.5", "<= +10 %"], True),
        (["<= 1", "<= +5 %"], ["<= 0.5", "<= +10 %"], False),
        (["<= 1", "<= +5 %"], "<= 0.5", False),
        ([">= 1", ">= -20 %"], [">= 2", ">= -10 %"], True),
        ([">= 1", ">= -5 %"], [">= 2", ">= -10 %"], False),
    ],
)
def test_a_warning_is_the_looser_in_both(loose: str | list[str], strict: str | list[str], allows: bool) -> None:
    assert Criterion.parse(loose).allows_all_of(Criterion.parse(strict)) is allows


def told(text: str) -> str:
    return HEAD + OBJECTIVE.replace('pass = ">= 1"', text)


BOTH = 'expected one absolute bound and at most one change, such as ["<= 0.5", "<= +10 %"]'


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('pass = ["<= +10 %"]', 'line 8: objective "a" pass: a change needs an absolute bound beside it, '),
        ('pass = ["<= 1", "<= 2"]', f'line 8: objective "a" pass: {BOTH}'),
        ('pass = ["<= 1", "<= +1 %", "<= +2 %"]', f'line 8: objective "a" pass: {BOTH}'),
        ("pass = []", f'line 8: objective "a" pass: {BOTH}'),
        ('pass = ["<= 1", ">= +2 %"]', 'line 8: objective "a" pass: both compare in one way, <= and >= are two'),
        ('pass = ["<= 1", "== +2 %"]', f'line 8: objective "a" pass: {BOTH}'),
        ('pass = ["<= 1", 2]', 'line 8: objective "a" pass: expected a comparison in quotes, such as "<= 0.01"'),
        (
            'pass = ["<= 1", "<= +9 %"]\nwarn = ["<= 2", "<= +8 %"]',
            'line 9: objective "a" warn: <= 2 and <= +8 % refuses values that pass with <= 1 and <= +9 %: '
            "a warning is the looser of the two",
        ),
    ],
)
def test_a_change_that_cannot_be_judged_is_a_mistake(tmp_path: Path, text: str, mistake: str) -> None:
    (found,) = mistakes(tmp_path, told(text))
    assert found.startswith(mistake)


KINDS = {
    "tests with a baseline": (
        told('pass = [">= 1", ">= +0 %"]').replace("promql", "tests").replace('"up"\nunit', '"passed_ratio"\nunit'),
        'line 8: objective "a" pass: tests have no baseline: a test passes or it does not',
    ),
    "an image's query that is none": (
        told('pass = "<= 1"').replace("promql", "image"),
        'line 6: objective "a" query: of kind image it is one of size, licences, vulnerabilities',
    ),
    "licences without a list": (
        told('pass = "<= 1"').replace("promql", "image").replace('"up"\nunit', '"licences"\nunit'),
        'line 3: objective "a" allow: is missing: the licences that images may hold, such as ["MIT", "Apache-2.0"]',
    ),
    "vulnerabilities without a database: left out by whoever writes the policy, never silently passed": (
        told('pass = "<= 0"').replace("promql", "image").replace('"up"\nunit', '"vulnerabilities"\nunit'),
        'line 3: objective "a" database: is missing: the file of known vulnerabilities, in OSV\'s format',
    ),
    "a soak of a fact": (
        told('pass = "<= 1"\nsoak = 60').replace("promql", "image").replace('"up"\nunit', '"size"\nunit'),
        'line 9: objective "a" soak: an objective of kind image has none: it is not measured over time',
    ),
    "an slo's query that is none": (
        told('pass = "<= 1"').replace("promql", "slo"),
        'line 6: objective "a" query: of kind slo it is one of budget_left, burn_rate',
    ),
    "slos of another kind": (
        told('pass = "<= 1"\nslos = ["latency"]'),
        'line 9: objective "a" slos: only an objective of kind slo has it',
    ),
    "an override of tests": (
        told('pass = ">= 1"\noverride = false')
        .replace("promql", "tests")
        .replace('"up"\nunit', '"passed_ratio"\nunit'),
        'line 9: objective "a" override: tests are put into quarantine.toml, by name, and never overridden',
    ),
    "more needed than are kept": (
        HEAD + OBJECTIVE + "[baselines]\nkeep = 2\n",
        "line 9: baselines needed: 3 is above keep, which is 2: there would never be a baseline",
    ),
    "an interval of two": (
        HEAD + OBJECTIVE + "[baselines]\nneeded = 2\n",
        "line 10: baselines needed: should be greater than or equal to 3, seen 2",
    ),
    "a clock that may be off for ever": (
        HEAD + OBJECTIVE + "[prometheus]\nmax_clock_skew = inf\n",
        "line 10: prometheus max_clock_skew: ",
    ),
}


@pytest.mark.parametrize(("text", "mistake"), KINDS.values(), ids=KINDS.keys())
def test_what_belongs_to_one_kind_is_told_where_it_stands(tmp_path: Path, text: str, mistake: str) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found.startswith(mistake)


def test_a_metric_that_nothing_has_is_told_with_its_line_and_a_near_one(tmp_path: Path) -> None:
    path = written(tmp_path, told('pass = "<= 1"\nsamples_query = "sum(http_request_total) + upp"'))
    known = ("up", "http_requests_total")
    assert load_policy(path).objectives, "without a list, as for evidence of another tree, nothing is known"
    with pytest.raises(Exception, match="2 mistakes") as caught:
        load_policy(path, metrics=known)
    assert caught.value.mistakes == (  # type: ignore[attr-defined]
        'line 9: objective "a" samples_query: no metric is named http_request_total '
        "(helm/monitoring/rules/metrics.txt); did you mean http_requests_total?",
        'line 9: objective "a" samples_query: no metric is named upp '
        "(helm/monitoring/rules/metrics.txt); did you mean up?",
    )


def test_a_metric_of_logql_is_none(tmp_path: Path) -> None:
    text = told('pass = "<= 1"').replace("promql", "logql").replace('"up"\nunit', '"sum(lines)"\nunit')
    assert load_policy(written(tmp_path, text), metrics=("up",)).objectives[0].kind == "logql"
