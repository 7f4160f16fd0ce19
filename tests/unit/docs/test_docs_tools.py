"""Commands of helm, promtool and others: how pages' are read and held to a help. The tools' own: tests/contract/tools/.

logcli is not built here; what pages show of it is held to its reference:
https://grafana.com/docs/loki/latest/query/logcli/
"""

import pytest
from tests.unit.docs.pages import Page, every_page
from tests.unit.docs.tools import TOOLS, options_of, shown, wrong

LOGCLI = """usage: logcli query [<flags>] <query>
  --limit=30 --since=1h --from=FROM --to=TO --step=STEP --interval=INTERVAL --batch=1000 --forward --no-labels --tail -f
  --exclude-label --include-label --labels-length --delay-for --colored-output -q --quiet --stats -o --output=default
  -z --timezone=Local --addr --username --password --ca-cert --cert --key --org-id --bearer-token --bearer-token-file
  --retries --tls-skip-verify --query-tags
"""
HELM = """Usage:
  helm history RELEASE_NAME [flags]

Flags:
      --max int         most
  -o, --output format   how
Global Flags:
  -n, --namespace string
"""
PROMTOOL = "usage: promtool query instant [<flags>] <server> <expr>\n  --[no-]headers\n  -o, --format=promql\n"
HELPS = {
    ("helm", "history", "backend"): HELM,
    ("kubectl", "rollout", "back"): "Usage:\n  kubectl rollout SUBCOMMAND [options]\n",
    ("helm", "get"): "Usage:\n  helm get [command]\n",
    ("helm", "get", "everything"): "Usage:\n  helm get [command]\n",
    ("promtool", "query", "instant"): PROMTOOL,
    (
        "kubectl",
        "exec",
    ): "Examples:\n  kubectl exec mypod date\nUsage:\n  kubectl exec (POD) [flags]\n -i, --stdin:\n -t, --tty\n",
}


def mistakes(line: str) -> list[str]:
    return [why for one in shown(Page("x.md", f"```sh\n{line}\n```")) if (why := wrong(one, HELPS.get))]


@pytest.mark.parametrize(
    "line",
    [
        "helm history backend -n default --max=3",
        "helm history backend --help",
        "promtool query instant http://127.0.0.1:9090 'count(up)' --no-headers --headers",
        "kubectl exec -it backend-1 -- psql --no-such",
        "helm get",
        "helm",
    ],
)
def test_what_a_help_has_is_fine(line: str) -> None:
    assert len(list(shown(Page("x.md", f"```sh\n{line}\n```")))) == 1
    assert mistakes(line) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("helm histroy backend", "helm has no command histroy backend"),
        ("helm get everything", "helm get has no command everything"),
        ("kubectl rollout back", "kubectl rollout has no command back"),
        ("helm history backend --maximum 3 -x", "helm history has no --maximum, -x"),
        ("promtool query instant http://127.0.0.1 'up' --no-format", "promtool query instant has no --no-format"),
        ("kubectl exec -ix backend-1 -- ls", "kubectl exec has no -ix"),
        ("true && helm history backend --max-length=3", "helm history has no --max-length"),
    ],
)
def test_what_it_has_not_is_told(line: str, why: str) -> None:
    assert mistakes(line) == [why]


def test_a_place_is_its_page_and_line() -> None:
    (one,) = shown(Page("x.md", "One\n`helm test backend`"))
    assert (one.place, one.words, one.options) == ("x.md:2", ("test", "backend"), ())


def test_an_option_is_a_word_of_its_own() -> None:
    assert options_of("-n, --namespace=x: well-known, a-b --[no-]tail, or --a.b.") == {
        "-n", "--namespace", "--tail", "--no-tail", "--a.b",
    }  # fmt: skip


def test_logcli_is_called_as_its_reference_has_it() -> None:
    found = [one for page in every_page() for one in shown(page, ("logcli",))]
    assert found
    assert [f"{one.place}: {why}" for one in found if (why := wrong(one, lambda _: LOGCLI))] == []


def test_pages_show_every_tool_that_is_held_to_its_help() -> None:
    assert {one.tool for page in every_page() for one in shown(page)} == set(TOOLS)
