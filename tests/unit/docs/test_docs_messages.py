"""docs/troubleshooting.md: each message that it quotes is one that the code says, word for word."""

import pytest
from tests.unit.docs.pages import Page, page
from tests.unit.docs.quoted import invented, quotations

PAGE = "docs/troubleshooting.md"


def test_every_message_is_one_that_the_code_says() -> None:
    assert len(list(quotations(page(PAGE)))) > 40
    assert invented(page(PAGE)) == []


@pytest.mark.parametrize(
    "line",
    [
        "too little room on disk",  # a text of the pipeline
        "port … is taken, the local registry cannot listen on it",  # with something that is filled in
        "events wait in the outbox",  # a service's line
        "the chart … names no … for the image of …",  # a chart's refusal
        "nox: no Python 3.11",  # a script's
        "… not reachable within … s (… attempts); last cause: …",  # of two texts side by side
    ],
)
def test_what_is_said_is_found(line: str) -> None:
    assert invented(Page("x.md", f"```text\n{line}\n```")) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("too little room on the disk", "neither the pipeline nor a service nor a chart"),
        ("port 5001 is taken, the local registry cannot listen on it", "neither the pipeline"),
        ("Base of the tree; shown to the user as it is", "neither the pipeline"),  # a docstring
        ("… is …", "too little to be looked for"),
    ],
)
def test_what_nobody_says_is_told(line: str, why: str) -> None:
    (found,) = invented(Page("x.md", f"```text\n{line}\n```"))
    assert why in found


def test_other_blocks_are_no_quotations() -> None:
    assert list(quotations(Page("x.md", "```sh\nls\n```\n\n    indented\n"))) == []
