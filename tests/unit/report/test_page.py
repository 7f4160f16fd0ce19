"""The page: whole, self-contained, and nothing from outside is markup on it."""

import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from tests.unit.report import samples

from sluice.domain import Evidence, Measurement, Override, Series
from sluice.report.page import render

SOUND, BROKEN = samples.sound(), samples.broken()
PLOTTED = [one for one in SOUND.measurements if one.series]
LOGS = {"default/backend-7d9f4/backend": f"line one\n{samples.HOSTILE}\n"}
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a browser would find: elements with attributes, texts by place; refuses unbalanced elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((tuple(self._open), data.strip()))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self, tag: str) -> list[str]:
        return [text for place, text in self.texts if tag in place]

    @property
    def text(self) -> str:
        return " ".join(text for place, text in self.texts if "style" not in place)


def page(evidence: Evidence, logs: dict[str, str] | None = None) -> Page:
    return Page(render(evidence, samples.verdict(evidence), LOGS if logs is None else logs))


@pytest.mark.parametrize("evidence", [SOUND, BROKEN], ids=["sound", "broken"])
def test_the_page_needs_nothing_but_itself(evidence: Evidence) -> None:
    html = render(evidence, samples.verdict(evidence), LOGS)
    found = Page(html)
    assert not {"script", "iframe", "object", "embed", "base", "form", "img"} & {tag for tag, _ in found.elements}
    for _, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), attributes
    style = " ".join(text for place, text in found.texts if "style" in place)
    assert not re.search(r"url\(|@import|@font-face", style)
    policy = next(meta["content"] for meta in found.of("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("evidence", "head", "mark"),
    [
        pytest.param(SOUND, "Pass", "✓", id="pass"),
        pytest.param(
            replace(
                SOUND,
                measurements=(
                    SOUND.measurements[0],
                    replace(SOUND.measurements[1], values=(0.7,)),
                    *SOUND.measurements[2:],
                ),
            ),
            "Pass",
            "✓",
            id="a warning that leaves the score high is a pass",
        ),
        pytest.param(BROKEN, "Fail", "✗", id="fail"),
    ],
)
def test_the_verdict_comes_first_in_words_and_by_a_sign(evidence: Evidence, head: str, mark: str) -> None:
    found = page(evidence)
    assert [text for place, text in found.texts if "h1" in place] == [mark, "Verdict", head]
    body = [tag for tag, _ in found.elements[[tag for tag, _ in found.elements].index("body") :]]
    assert body[1:6] == ["a", "header", "div", "div", "h1"]
    assert found.said("title")[0] == f"{head} · {evidence.run_id} · Sluice"


def test_a_warning_has_its_own_head() -> None:
    verdict = replace(samples.verdict(SOUND), level="warn", reasons=("p95-latency: 0.7 seconds",))
    found = Page(render(SOUND, verdict, {}))
    assert found.said("h1") == ["!", "Verdict", "Pass with warnings"]
    assert "p95-latency: 0.7 seconds" in found.said("li")


def test_every_objective_is_there_with_value_criterion_score_and_reason() -> None:
    found = page(SOUND)
    for text in (
        "error-ratio",
        "0.21 %",
        "pass ≤ 1 %",
        "412",
        "3 of 3",
        "210 ms",
        "pass ≤ 500 ms",
        "warn ≤ 1 s",
        "0.0021 ratio, the worst of 2 series, meets <= 0.01",
        "41 of 41 tests passed, meets >= 1",
    ):
        assert text in found.text


def test_a_baseline_has_a_column_where_there_is_one() -> None:
    verdict = samples.verdict(SOUND)
    errors = next(one for one in verdict.objectives if one.name == "error-ratio")
    compared = replace(verdict, objectives=(replace(errors, baseline=0.004), *verdict.objectives[2:]))
    assert "Baseline" not in page(SOUND).said("th")
    found = Page(render(SOUND, compared, {}))
    assert "Baseline" in found.said("th")
    assert "0.4 %" in found.said("td")


def test_a_relative_criterion_its_baseline_and_an_override_are_told() -> None:
    verdict = samples.verdict(SOUND)
    result = replace(
        next(one for one in verdict.objectives if one.name == "p95-latency"),
        baseline=0.2,
        baselines=5,
        interval=(0.15, 0.25),
        pass_relative="<= +10 %",
        override=Override("p95-latency", "ada", "known, #7", samples.STARTED),
    )
    found = Page(render(SOUND, replace(verdict, objectives=(result,), notes=("1 test is flaky",)), {}))
    assert {"200 ms", "of 5 passed, expected 150 ms to 250 ms", "pass ≤ 500 ms and ≤ +10 %"} <= set(found.said("td"))
    assert "Overridden by ada until 2025-10-09 08:53:20 UTC: known, #7" in found.said("td")
    assert "1 test is flaky" in found.said("li")


@pytest.mark.parametrize("evidence", [SOUND, BROKEN], ids=["sound", "broken"])
def test_a_screen_reader_finds_its_way(evidence: Evidence) -> None:
    found = page(evidence)
    tags = Counter(tag for tag, _ in found.elements)
    assert (tags["main"], tags["header"], tags["nav"], tags["footer"], tags["h1"]) == (1, 1, 1, 1, 1)
    assert found.of("html")[0]["lang"] == "en"
    assert tags["caption"] == tags["table"] > 5
    assert all(head["scope"] in ("col", "row") for head in found.of("th"))
    # Where its rows are cards, `display: block` takes a table's roles away in some browsers: they are said again.
    roles = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
    stacked = [one for one in found.of("table") if one.get("class", "").startswith("stack")]
    assert len(stacked) >= 5
    for tag, role in roles.items():
        assert [one.get("role") for one in found.of(tag)].count(role) > len(stacked) / 2
    assert all(one["role"] == "table" for one in stacked)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in found.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(attributes.get(name, "").split()) <= set(ids)
        target = attributes.get("href", "")
        assert not target.startswith("#") or target[1:] in ids
    for svg in found.of("svg"):
        top_level = "y" not in svg  # an inner one is part of its plot
        assert not top_level or svg.get("role") == "img" or svg.get("aria-hidden") == "true"
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels


def test_a_plot_has_its_numbers_as_a_table_too() -> None:
    found = page(SOUND)
    assert "p95-latency: the plotted numbers" in found.said("caption")
    assert found.said("details").count("Time since the run began") == len(PLOTTED)


def test_failed_tests_come_first_with_their_messages_and_request_ids() -> None:
    found = page(BROKEN)
    names = [text for place, text in found.texts if "tbody" in place and text.startswith("test_")]
    assert names[0] == "test_api.py::test_delete"
    assert names[15:17] == [
        "test_logs.py::test_provoked_error_by_level",
        "test_logs.py::test_provoked_error_by_text",
    ]
    assert len(names) == len(BROKEN.tests)
    assert "Request ids: e2e-1, e2e-2" in found.text
    assert any('{namespace="default"} gives 0 lines' in text for text in found.said("pre"))
    assert "Tests: 2 failed, 1 error, 1 skipped, 38 passed" in found.said("h2")


def test_a_suite_without_a_test_is_named() -> None:
    found = page(replace(SOUND, suites=(*SOUND.suites, "chaos")))
    assert "chaos" in found.said("h3")
    assert "no tests" in found.said("summary")
    assert "It was asked for and ran no test." in found.text


@pytest.mark.parametrize("thing", ["image", "component"])
def test_digests_are_there_in_full(thing: str) -> None:
    found = page(SOUND)
    for one in SOUND.images if thing == "image" else SOUND.components:
        assert one.name in found.text
        assert one.digest in found.text


def test_what_looks_like_markup_is_text_everywhere() -> None:
    html = render(BROKEN, samples.verdict(BROKEN), {samples.HOSTILE: samples.HOSTILE})
    assert "<script" not in html
    assert "<img" not in html
    found = Page(html)
    assert found.text.count("<script>alert('x')</script>") >= 6, "failure, step, test, query, log and its name"
    assert "\x1b" not in html
    assert "\x00" not in html


def test_what_the_mask_knows_is_nowhere_on_the_page() -> None:
    evidence = replace(
        BROKEN,
        measurements=(
            *BROKEN.measurements,
            replace(
                BROKEN.measurements[1],
                objective=samples.SECRET,
                series=(Series({"pod": samples.SECRET}, ((samples.STARTED, 1.0),)),),
            ),
        ),
        components=(replace(BROKEN.components[0], path=samples.SECRET, version=samples.SECRET),),
    )
    verdict = samples.verdict(evidence)
    logs = {samples.SECRET: f"{samples.SECRET}\n" * 50_000}
    assert samples.SECRET in render(evidence, verdict, logs)
    assert samples.SECRET not in render(evidence, verdict, logs, mask=lambda text: text.replace(samples.SECRET, "***"))


def test_a_run_that_broke_at_once_has_a_page() -> None:
    nothing = replace(
        SOUND,
        images=(),
        components=(),
        steps=(),
        suites=(),
        tests=(),
        measurements=(),
        revision="",
        kubernetes="",
        source_digest="",
        ended=SOUND.started,
        failures=("no engine",),
    )
    found = page(nothing, logs={})
    assert found.said("h1")[-1] == "Fail"
    assert "the run failed: no engine" in found.text
    for text in (
        "Nothing was measured.",
        "No test ran.",
        "No image was built.",
        "No component was obtained.",
    ):
        assert text in found.text


@pytest.mark.parametrize("at", [math.nan, math.inf, -1e300])
def test_times_that_are_none_break_no_page(at: float) -> None:
    evidence = replace(
        SOUND,
        started=at,
        ended=at,
        steps=(replace(SOUND.steps[0], started=at, seconds=at), *SOUND.steps[1:]),
        tests=(replace(SOUND.tests[0], started=at, seconds=at), *SOUND.tests[1:]),
        measurements=(replace(SOUND.measurements[0], at=at, window_seconds=at), *SOUND.measurements[1:]),
    )
    assert page(evidence).said("h1")[-1] == "Fail"


def test_the_same_evidence_gives_the_same_page() -> None:
    assert render(BROKEN, samples.verdict(BROKEN), LOGS) == render(BROKEN, samples.verdict(BROKEN), LOGS)


def test_tests_and_images_are_no_measurement_with_a_plot() -> None:
    tests = Measurement("suites", "tests", "passed_ratio", "ratio", samples.STARTED, 82.4, values=(1.0,), samples=35)
    found = page(replace(SOUND, measurements=(tests, *SOUND.measurements)))
    images = [one for one in SOUND.measurements if one.kind == "image"]
    assert len(found.of("article")) == len(SOUND.measurements) - len(images) > len(PLOTTED)
