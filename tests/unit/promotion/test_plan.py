"""The plan: which images change, and what of a chart; the order of keys and comments are no change."""

import pytest

from sluice.domain import Image
from sluice.promotion.plan import chart_change, image_changes, parted

OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
BACKEND = Image("backend", "r:5443/x/backend", NEW)
DEPLOYMENT = """\
---
# Source: backend/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend, namespace: default}
spec:
  replicas: 2
  strategy: {type: Recreate}
"""
SERVICE = "---\nkind: Service\nmetadata: {name: backend}\nspec: {ports: [{port: 80}]}\n"


@pytest.mark.parametrize(
    ("running", "now", "changes"),
    [
        ({}, (), True),
        ({"a": [f"{BACKEND.repository}@{NEW}"]}, (NEW,), False),
        ({"a": [f"{BACKEND.repository}@{OLD}"]}, (OLD,), True),
        ({"a": [f"{BACKEND.repository}@{OLD}", f"{BACKEND.repository}@{NEW}"]}, (OLD, NEW), True),
        ({"a": [f"{BACKEND.repository}@{NEW}"], "b": [f"{BACKEND.repository}@{NEW}"]}, (NEW,), False),
        ({"a": [f"{BACKEND.repository}:1.2"]}, ("1.2",), True),
        ({"a": [f"{BACKEND.repository}:1.2@{NEW}"]}, (NEW,), False),
        ({"a": [BACKEND.repository]}, (BACKEND.repository,), True),
        ({"a": [f"{BACKEND.repository}-2@{OLD}", f"r:5443/x@{OLD}", f"other/backend@{OLD}"]}, (), True),
    ],
)
def test_an_image_changes_unless_all_that_runs_of_it_is_what_would_run(
    running: dict[str, list[str]], now: tuple[str, ...], changes: bool
) -> None:
    [change] = image_changes([BACKEND], running)
    assert (change.name, change.now, change.then, change.changes) == ("backend", now, NEW, changes)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("r:5443/x@sha256:1", ("r:5443/x", "sha256:1")),
        ("r:5443/x:1@sha256:1", ("r:5443/x", "sha256:1")),
        ("r:5443/x:1", ("r:5443/x", "1")),
        ("r:5443/x", ("r:5443/x", "")),
        ("x", ("x", "")),
    ],
)
def test_a_port_is_no_tag(reference: str, expected: tuple[str, str]) -> None:
    assert parted(reference) == expected


def test_the_order_of_keys_and_comments_are_no_change() -> None:
    other = (
        SERVICE
        + "---\n# of another day\nkind: Deployment\nspec: {strategy: {type: Recreate}, replicas: 2}\n"
        + "metadata:\n  namespace: default\n  name: backend\napiVersion: apps/v1\n---\n# nothing\n"
    )
    change = chart_change("backend", DEPLOYMENT + SERVICE, other)
    assert not change.changes
    assert change.diff == ()


def test_a_value_that_differs_is_shown_with_its_object() -> None:
    change = chart_change("backend", DEPLOYMENT + SERVICE, DEPLOYMENT.replace("replicas: 2", "replicas: 3") + SERVICE)
    assert (change.changes, change.new, change.changed, change.gone) == (True, (), ("Deployment/backend",), ())
    assert change.diff[:2] == ("--- Deployment/backend", "+++ Deployment/backend")
    assert [line for line in change.diff[2:] if line[0] in "+-"] == ["-  replicas: 2", "+  replicas: 3"]


def test_what_comes_and_what_goes_are_told_apart() -> None:
    change = chart_change("backend", DEPLOYMENT, SERVICE)
    assert (change.new, change.changed, change.gone) == (("Service/backend",), (), ("Deployment/backend",))
    assert "+kind: Service" in change.diff
    assert "-kind: Deployment" in change.diff


def test_a_chart_that_is_not_there_yet_is_all_new() -> None:
    change = chart_change("backend", "", DEPLOYMENT + SERVICE)
    assert change.new == ("Deployment/backend", "Service/backend")
    assert not chart_change("backend", "", "").changes
