"""release/policy.toml: what it may hold, and how its mistakes are told."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.gate.samples import LATENCY

from sluice.errors import PolicyError
from sluice.policy import Criterion, expand, load_policy

OURS = Path(__file__).parents[3] / "release" / "policy.toml"
SUITES = Path(__file__).parents[3] / "tests" / "e2e"
HEAD = 'schema = "sluice.policy/v1"\nrequired_suites = ["api"]\n'
OBJECTIVE = '[[objective]]\nname = "a"\nkind = "promql"\nquery = "up"\nunit = "up"\npass = ">= 1"\n'
COMPARISON = 'expected one of < <= == >= > and a number, such as "<= 0.01"'
LOOSER = "a warning is the looser of the two"


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        load_policy(written(folder, text))
    return caught.value.mistakes


def test_the_smallest_policy_has_the_defaults_of_keptn(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, HEAD + OBJECTIVE))
    assert (policy.pass_score, policy.warn_score, policy.required_suites) == (90.0, 75.0, ("api",))
    (objective,) = policy.objectives
    assert (objective.pass_criterion, objective.warn_criterion) == (Criterion(">=", 1.0), None)
    assert (objective.weight, objective.key, objective.min_samples, objective.window) == (1, False, 1, "run")
    assert (objective.samples_query, objective.plot_query) == (None, None)


def test_every_key_arrives_where_it_belongs(tmp_path: Path) -> None:
    text = (
        HEAD + "pass_score = 80\nwarn_score = 60.5\n" + OBJECTIVE + 'warn = ">= 0.5"\nweight = 3\nkey = true\n'
        'min_samples = 7\nsamples_query = "count(up)"\nplot_query = "min(up)"\n'
        'window = 300\ndescription = "d"\n'
    )
    policy = load_policy(written(tmp_path, text))
    (objective,) = policy.objectives
    assert (policy.pass_score, policy.warn_score) == (80.0, 60.5)
    assert (objective.warn_criterion, objective.weight, objective.key) == (Criterion(">=", 0.5), 3, True)
    assert (objective.min_samples, objective.samples_query, objective.plot_query) == (
        7,
        "count(up)",
        "min(up)",
    )
    assert (objective.window_seconds(95.0), objective.description) == (300, "d")


def test_our_own_policy_holds_what_the_first_release_is_judged_by() -> None:
    policy = load_policy(OURS)
    objectives = {objective.name: objective for objective in policy.objectives}
    assert set(objectives) == {
        "suites",
        "image-size",
        "error-ratio",
        "p95-latency",
        "event-delay",
        "outbox-empty",
        "error-logs",
        "provoked-errors",
        "restarts",
        "targets-up",
        "rules-healthy",
        "error-budget",
        "memory",
        "series",
    }
    # Every suite but one, whose cost tests/e2e/README.md tells.
    assert {*policy.required_suites, "upgrade"} == {path.parent.name for path in SUITES.glob("*/test_*.py")}
    assert {objective.name for objective in policy.objectives if not objective.key} == {"error-budget"}
    for objective in policy.objectives:
        asked = expand(objective.promql, window_seconds=94.6, namespace="team-a")
        assert objective.asks(asked)
        assert "{window}" not in asked
        assert "{namespace}" not in asked
        if objective.kind not in ("tests", "image"):
            assert objective.counted_by, f"{objective.name}: a number without a count of what stands behind it"
    assert "[95s]" in expand(objectives["p95-latency"].query, window_seconds=94.6, namespace="team-a")
    assert '!= "sluice-provoked"' in objectives["error-logs"].query


MISTAKES = {
    "a key that does not exist": (HEAD + 'colour = "red"\n' + OBJECTIVE, "line 3: colour: no such key"),
    "an objective's key that does not exist": (
        HEAD + OBJECTIVE + "wait = 3\n",
        'line 9: objective "a" wait: no such key',
    ),
    "a key that is missing, told at its table": (
        HEAD + OBJECTIVE.replace('unit = "up"\n', ""),
        'line 3: objective "a" unit: is missing',
    ),
    "an objective without a name": (
        HEAD + OBJECTIVE + OBJECTIVE.replace('name = "a"\n', ""),
        "line 9: objective 2 name: is missing",
    ),
    "another schema": (
        (HEAD + OBJECTIVE).replace("/v1", "/v2"),
        "line 1: schema: should be 'sluice.policy/v1', seen \"sluice.policy/v2\"",
    ),
    "a percentage as criterion": (
        HEAD + OBJECTIVE.replace(">= 1", "<= +10%"),
        'line 8: objective "a" pass: a change needs an absolute bound beside it, such as ["<= 0.5", "<= +10 %"], '
        'seen "<= +10%"',
    ),
    "a number as criterion": (
        HEAD + OBJECTIVE.replace('">= 1"', "1"),
        'line 8: objective "a" pass: expected a comparison in quotes, such as "<= 0.01", seen 1',
    ),
    "an infinite bound": (
        HEAD + OBJECTIVE.replace(">= 1", "<= 1e999"),
        f'line 8: objective "a" pass: {COMPARISON}, seen "<= 1e999"',
    ),
    "a warning stricter than the pass": (
        HEAD + OBJECTIVE + 'warn = ">= 2"\n',
        f'line 9: objective "a" warn: >= 2 refuses values that pass with >= 1: {LOOSER}',
    ),
    "a warning the other way round": (
        HEAD + OBJECTIVE + 'warn = "<= 2"\n',
        f'line 9: objective "a" warn: <= 2 refuses values that pass with >= 1: {LOOSER}',
    ),
    "a name twice": (HEAD + OBJECTIVE * 2, 'line 10: objective "a" name: objective 1 has this name too'),
    "an unknown placeholder": (
        HEAD + OBJECTIVE.replace('"up"\nunit', '"up[{windw}]"\nunit'),
        'line 6: objective "a" query: no such placeholder: {windw}; there are {window} and {namespace}',
    ),
    "a tests query that is none": (
        HEAD + OBJECTIVE.replace("promql", "tests"),
        'line 6: objective "a" query: of kind tests it is one of passed_ratio',
    ),
    "a tests objective with a plot": (
        HEAD + OBJECTIVE.replace("promql", "tests").replace('query = "up"', 'query = "passed_ratio"\nplot_query = "x"'),
        'line 7: objective "a" plot_query: an objective of kind tests has none: the tests are the samples',
    ),
    "a window of no time": (
        HEAD + OBJECTIVE + "window = 0\n",
        'line 9: objective "a" window: expected "run", "undisturbed", or seconds above 0 and up to 86400, seen 0',
    ),
    "true as window": (
        HEAD + OBJECTIVE + "window = true\n",
        'line 9: objective "a" window: expected "run", "undisturbed", or seconds above 0 and up to 86400, seen true',
    ),
    "a weight of nothing": (
        HEAD + OBJECTIVE + "weight = 0\n",
        'line 9: objective "a" weight: should be greater than or equal to 1, seen 0',
    ),
    "a word as truth": (
        HEAD + OBJECTIVE + 'key = "yes"\n',
        'line 9: objective "a" key: should be a valid boolean, seen "yes"',
    ),
    "a date as text": (
        HEAD + OBJECTIVE.replace('unit = "up"', "unit = 2026-01-01"),
        'line 7: objective "a" unit: should be a valid string',
    ),
    "a score above all": (
        HEAD + "pass_score = 101\n" + OBJECTIVE,
        "line 3: pass_score: should be less than or equal to 100, seen 101",
    ),
    "a score that is no number": (
        HEAD + "pass_score = nan\n" + OBJECTIVE,
        "line 3: pass_score: should be a finite number, seen NaN",
    ),
    "a warn score above the pass score": (
        HEAD + "pass_score = 70\n" + OBJECTIVE,
        "line 1: warn_score: 75 is above pass_score, which is 70",
    ),
    "no required suite": (
        HEAD.replace('["api"]', "[]") + OBJECTIVE,
        "line 2: required_suites: is empty: such a policy asks for nothing",
    ),
    "no objective": (HEAD, "line 1: objective: is missing"),
    "an empty list of objectives": (
        HEAD + "objective = []\n",
        "line 3: objective: is empty: such a policy asks for nothing",
    ),
    "objectives that are no tables": (
        HEAD + "objective = [1]\n",
        "line 3: objective 1: should be an object, seen 1",
    ),
    "an objective that is one table": (
        HEAD + OBJECTIVE.replace("[[objective]]", "[objective]"),
        "line 3: objective: should be a valid array",
    ),
    "a text that is no TOML": (HEAD + "unit = \n", "line 3, column 8: Invalid value"),
    "a text that ends too early": (HEAD + 'unit = """x', "line 3, column 12: Unterminated string"),
}


@pytest.mark.parametrize(("text", "mistake"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_line_and_alone(tmp_path: Path, text: str, mistake: str) -> None:
    assert mistakes(tmp_path, text) == (mistake,)


def test_all_mistakes_are_told_at_once_by_line(tmp_path: Path) -> None:
    told = mistakes(
        tmp_path,
        HEAD.replace("/v1", "")
        + OBJECTIVE.replace("promql", "sql")
        + 'warn = ">= 3"\n'
        + OBJECTIVE.replace(">= 1", "= 1")
        + "pas = 3\n",
    )
    assert [re.match(r"line \d+: [a-z0-9\" ]+", mistake)[0] for mistake in told] == [  # type: ignore[index]
        "line 1: schema",
        'line 5: objective "a" kind',
        'line 9: objective "a" warn',
        'line 11: objective "a" name',
        'line 15: objective "a" pass',
        'line 16: objective "a" pas',
    ]


def test_a_file_that_cannot_be_read_is_a_mistake_too(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        load_policy(tmp_path / "policy.toml")
    (tmp_path / "policy.toml").write_bytes(b'schema = "\xff"')
    with pytest.raises(PolicyError, match="byte 10 is not UTF-8"):
        load_policy(tmp_path / "policy.toml")


@pytest.mark.parametrize(
    ("seconds", "window"),
    [
        pytest.param(95.0, "95s", id="whole seconds stay"),
        pytest.param(94.5001, "95s", id="parts are rounded"),
        pytest.param(0.2, "1s", id="never less than a second, which servers refuse"),
    ],
)
def test_placeholders_are_filled_in_and_other_braces_kept(seconds: float, window: str) -> None:
    query = 'sum(x{namespace="{namespace}"}[{window}]) or y offset {window}'
    expected = f'sum(x{{namespace="default"}}[{window}]) or y offset {window}'
    assert expand(query, window_seconds=seconds, namespace="default") == expected


@pytest.mark.parametrize(
    ("query", "same"),
    [
        pytest.param('p95{namespace="default"}[95s]', True, id="filled in"),
        pytest.param('p95{namespace="{namespace}"}[{window}]', True, id="as written"),
        pytest.param('\np95{namespace="other-team"}[1s]\n', True, id="with space around"),
        pytest.param('p95{namespace="a",route="/cheap"}[95s]', False, id="with another selector"),
        pytest.param('p90{namespace="default"}[95s]', False, id="another metric"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_measurement_is_known_by_its_query(query: str, same: bool) -> None:
    assert LATENCY.asks(query) is same


def test_without_a_window_a_query_is_held_to_the_letter() -> None:
    plain = replace(LATENCY, query="up")
    assert plain.asks("up")
    assert not plain.asks("up2")


@pytest.mark.parametrize(
    ("criterion", "values", "worst"),
    [
        pytest.param("<= 1", [0.5, 3.0, 2.0], 3.0, id="the largest where less is better"),
        pytest.param("> 1", [0.5, 3.0, 2.0], 0.5, id="the smallest where more is better"),
        pytest.param("== 1", [0.5, 3.0, 1.0], 3.0, id="the furthest where one value is right"),
        pytest.param("== 1", [0.5, 1.5], 1.5, id="the larger of two as far"),
    ],
)
def test_the_worst_of_several_is_found(criterion: str, values: list[float], worst: float) -> None:
    found = Criterion.parse(criterion)
    assert found.worst(values) == found.worst(values[::-1]) == worst


@pytest.mark.parametrize("text", ["< 0.01", "<= 1e-05", "== 0", ">= -3.5", "> 100"])
def test_a_criterion_is_written_as_it_was_read(text: str) -> None:
    assert str(Criterion.parse(text)) == text
    assert not Criterion.parse(text).holds(float("nan"))
