"""A target's ledger, against a real API server."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract.kubernetes.somebody import before_writing, patch

from sluice.adapters.kubernetes import ledger as adapter
from sluice.adapters.kubernetes.ledger import TargetLedger
from sluice.errors import ClusterError, LedgerError
from sluice.promotion.ledger import Entry, State, to_lines
from sluice.promotion.ledger_file import read_copy

pytestmark = pytest.mark.anyio

WHOLE: tuple[State, ...] = ("planned", "copied", "deployed", "verified")


@pytest.fixture
def ledger(api_server: httpx.AsyncClient, namespace: str, tmp_path: Path) -> TargetLedger:
    return TargetLedger(api_server, namespace, "gke", tmp_path / "gke.jsonl")


async def put(ledger: TargetLedger, state: State, promotion: str = "p1", detail: str = "") -> Entry:
    return await ledger.append(
        promotion=promotion,
        release="sha256:1",
        release_id="r1",
        state=state,
        who="Ada",
        detail=detail,
        at=100,
    )


async def segments(client: httpx.AsyncClient, namespace: str) -> dict[str, Any]:
    found = (await client.get(f"/api/v1/namespaces/{namespace}/configmaps")).json()["items"]
    return {one["metadata"]["name"]: one for one in found if one["metadata"]["name"].startswith(adapter.NAME)}


async def change(client: httpx.AsyncClient, namespace: str, name: str, text: str) -> None:
    await patch(client, f"/api/v1/namespaces/{namespace}/configmaps/{name}", {"data": {"entries.jsonl": text}})


async def test_a_promotion_is_written_down_state_by_state_and_read_on_another_machine(
    api_server: httpx.AsyncClient, namespace: str, ledger: TargetLedger, tmp_path: Path
) -> None:
    assert await ledger.read() == ()
    written = [await put(ledger, state) for state in WHOLE]
    elsewhere = TargetLedger(api_server, namespace, "gke", tmp_path / "elsewhere" / "gke.jsonl")
    assert list(await elsewhere.read()) == written
    for copy in (tmp_path / "gke.jsonl", tmp_path / "elsewhere" / "gke.jsonl"):
        assert list(read_copy(copy)) == written
    [segment] = (await segments(api_server, namespace)).values()
    assert segment["metadata"]["labels"] == adapter.LABELS
    assert segment["data"] == {"entries.jsonl": to_lines(written)}


async def test_what_a_killed_run_had_written_is_not_written_twice(ledger: TargetLedger) -> None:
    first = await put(ledger, "planned")
    assert await put(ledger, "planned", detail="again") == first
    await put(ledger, "copied")
    with pytest.raises(LedgerError, match="p1 is copied, which planned does not follow"):
        await put(ledger, "planned")
    with pytest.raises(LedgerError, match=r"p1 is under way \(copied\)"):
        await put(ledger, "planned", "p2")
    assert len(await ledger.read()) == 2


async def test_a_full_segment_is_closed_for_good_and_another_one_begins(
    api_server: httpx.AsyncClient, namespace: str, ledger: TargetLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SEGMENT_ENTRIES", 3)
    monkeypatch.setattr(adapter, "_PAGE", "1")
    for promotion in ("p1", "p2"):
        for state in WHOLE:
            await put(ledger, state, promotion)
    found = await segments(api_server, namespace)
    assert [(name, one["data"]["entries.jsonl"].count("\n"), one["immutable"]) for name, one in found.items()] == [
        ("sluice-ledger-0001", 3, True),
        ("sluice-ledger-0002", 3, True),
        ("sluice-ledger-0003", 2, False),
    ]
    assert [one.number for one in await ledger.read()] == [1, 2, 3, 4, 5, 6, 7, 8]
    with pytest.raises(AssertionError, match="field is immutable"):
        await change(api_server, namespace, "sluice-ledger-0001", "")


async def test_the_largest_entries_fit_into_a_segment(
    api_server: httpx.AsyncClient, namespace: str, ledger: TargetLedger
) -> None:
    largest = await put(ledger, "planned", detail="ä" * 5000)
    size = len(to_lines([largest]))
    assert size * adapter.SEGMENT_ENTRIES < 1024 * 1024
    await change(api_server, namespace, "sluice-ledger-0001", "x" * size * adapter.SEGMENT_ENTRIES)


async def test_a_ledger_that_was_changed_is_told_and_not_written_on(
    api_server: httpx.AsyncClient, namespace: str, ledger: TargetLedger, tmp_path: Path
) -> None:
    for state in WHOLE:
        await put(ledger, state)
    name = "sluice-ledger-0001"
    text = (await segments(api_server, namespace))[name]["data"]["entries.jsonl"]
    lines = text.splitlines(keepends=True)
    stranger = TargetLedger(api_server, namespace, "gke", tmp_path / "none.jsonl")
    cases = {
        text.replace("Ada", "Eve"): "entry 1 is not what its digest",
        lines[0] + lines[2]: "entry 2 says that it is number 3",
        text[:-30]: "sluice-ledger-0001: line 4 is no entry",
        "": "it has 0 entries, and had 4 before",
        lines[0] + lines[1]: "it has 2 entries, and had 4 before",
    }
    for changed, seen in cases.items():
        await change(api_server, namespace, name, changed)
        for use in (ledger.read, lambda: put(ledger, "planned", "p2")):
            with pytest.raises(LedgerError) as caught:
                await use()
            assert seen in caught.value.seen
            assert "kubectl" in caught.value.next_command
        assert (await segments(api_server, namespace))[name]["data"]["entries.jsonl"] == changed
    # Written anew from where it was cut, with every digest right: only a copy can tell.
    await put(stranger, "failed")
    assert len(await stranger.read()) == 3
    with pytest.raises(LedgerError, match="was cut or written anew") as caught:
        await ledger.read()
    assert caught.value.seen.startswith("entry 3 is sha256:")


async def test_a_segment_that_lost_its_label_or_is_another_targets_is_told(
    api_server: httpx.AsyncClient, namespace: str, ledger: TargetLedger, tmp_path: Path
) -> None:
    await put(ledger, "planned")
    with pytest.raises(LedgerError, match="entry 1 is of the target gke"):
        await TargetLedger(api_server, namespace, "aks", tmp_path / "aks.jsonl").read()
    path = f"/api/v1/namespaces/{namespace}/configmaps/sluice-ledger-0001"
    await patch(api_server, path, {"metadata": {"labels": {"app.kubernetes.io/name": None}}})
    with pytest.raises(LedgerError, match="it has 0 entries, and had 1 before"):
        await ledger.read()
    stranger = TargetLedger(api_server, namespace, "gke", tmp_path / "none.jsonl")
    with pytest.raises(LedgerError, match='409: configmaps "sluice-ledger-0001" already exists'):
        await put(stranger, "planned", "p2")


@pytest.mark.parametrize("before", [(), WHOLE], ids=["to nothing", "to what there is"])
async def test_what_somebody_appends_between_reading_and_writing_is_not_overwritten(
    api_server: httpx.AsyncClient, ledger: TargetLedger, before: tuple[State, ...]
) -> None:
    for state in before:
        await put(ledger, state, "p0")

    async def faster() -> None:
        await put(ledger, "planned", "p1")

    before_writing(api_server, faster)
    with pytest.raises(LedgerError, match=r"promotion p1 is under way \(planned\)"):
        await put(ledger, "planned", "p2")
    entries = await ledger.read()
    assert (len(entries), entries[-1].promotion) == (len(before) + 1, "p1")


@pytest.mark.parametrize("before", [(), WHOLE], ids=["of the first", "of another"])
async def test_an_entry_whose_answer_was_lost_is_written_once(
    api_server: httpx.AsyncClient, ledger: TargetLedger, before: tuple[State, ...]
) -> None:
    for state in before:
        await put(ledger, state, "p0")
    lost = iter("once")

    async def lose(response: httpx.Response) -> None:
        if response.request.method != "GET" and next(lost, "") == "o":
            raise httpx.ReadTimeout("lost", request=response.request)

    api_server.event_hooks["response"] = [lose]
    entry = await put(ledger, "planned")
    assert next(lost) == "c", "the answer was lost, and there was another"
    assert (await ledger.read())[-1] == entry
    assert entry.number == len(before) + 1


async def test_a_namespace_that_is_not_there_has_nothing_and_takes_nothing(
    api_server: httpx.AsyncClient, tmp_path: Path
) -> None:
    ledger = TargetLedger(api_server, "nowhere", "gke", tmp_path / "gke.jsonl")
    assert await ledger.read() == ()
    with pytest.raises(ClusterError, match='namespaces "nowhere" not found'):
        await put(ledger, "planned")
