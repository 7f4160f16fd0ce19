"""readiness: whether a target is fit for production. Nothing on it is changed, and what cannot be asked is told."""

import os
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from sluice.adapters.helm.charts import Helm
from sluice.bootstrap import Toolbox
from sluice.errors import ChartError, ClusterError, SluiceError, SupplyError, in_a_line
from sluice.looking import drift_of, unchecked
from sluice.masking import masked, masker
from sluice.pipeline import leaves
from sluice.preflight.asking import Api
from sluice.promotion.chart_values import charts_of, files_for, merged, values_for
from sluice.promotion.ledger import Entry, verified
from sluice.promotion.model import Target
from sluice.reaching import reach
from sluice.readiness import judge, load_catalog, load_confirmations
from sluice.readiness.confirmations import FILE
from sluice.readiness.model import ON_TARGET, Readiness
from sluice.readiness.snapshot import Charts, Ledger, Object, Snapshot, Tree
from sluice.release_tools import release_tools
from sluice.run import Run, side_by_side
from sluice.slo.load import load_slos
from sluice.steps.gather_readiness import Ways, gather_readiness
from sluice.steps.resolve_source import resolve_source
from sluice.supply import artifact
from sluice.target_tools import TargetTools

OFFLINE = "not asked, by --offline"
# Charts are rendered without a run: images have a name and a digest all the same, as they have in each deploy.
_NO_DIGEST = "sha256:" + 64 * "0"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


async def readiness_of(
    box: Toolbox, home: Path, run: Run, target: Target, targets: Mapping[str, Target], *, offline: bool
) -> Readiness:
    """Return what a target comes to, secrets masked. With `offline` tree and charts are looked at, and nothing asked.

    Raises PolicyError where release/readiness.toml is wrong, TargetError, SourceError and SloError where files of the
    tree are.
    """
    catalog, deadlines = load_catalog(), box.settings.deadlines
    confirmations = load_confirmations(box.root / FILE, catalog, targets, now=run.started)
    snapshot = Snapshot(run.started, target, await _tree(box.root))
    work = partial(_with_charts, box, run, snapshot)
    snapshot = await _taken(run, "render charts", work, deadlines.charts)
    secrets: list[str] = []
    if offline:
        snapshot = _without(snapshot, OFFLINE)
    else:
        asked = partial(_asked, box, home, run, snapshot, secrets)
        why = ""
        try:
            snapshot = await _taken(run, f"ask {target.name}", asked, 3 * deadlines.evidence)
        except* SluiceError as group:  # a target that is away is not ready, and no error
            why = "; ".join(in_a_line(error) for error in leaves(group))
        if why:
            snapshot = _without(snapshot, why)
    required = target.readiness.score if target.readiness else 0.0
    return masked(judge(catalog, snapshot, confirmations, required=required), masker(secrets))


def _without(snapshot: Snapshot, why: str) -> Snapshot:
    return replace(snapshot, missing={**snapshot.missing, **dict.fromkeys(ON_TARGET, why)})


async def _taken(run: Run, name: str, work: Callable[[], Awaitable[Snapshot]], seconds: float) -> Snapshot:
    """Take a step whose result is not written down: what a snapshot holds was not masked."""

    async def kept_back() -> list[Snapshot]:
        return [await work()]

    [found] = await run.step(name, kept_back, deadline_seconds=seconds)
    return found


async def _tree(root: Path) -> Tree:
    names = [service.name for service in (await resolve_source(root)).services]
    slos = {name: tuple(slo.metadata.name for slo in found) for name, found in load_slos(root).items()}
    pages = {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for pattern in ("docs/**/*.md", "helm/*/runbooks/*.md")
        for path in sorted(root.glob(pattern))
    }
    return Tree(tuple(names), slos, pages)


async def _with_charts(box: Toolbox, run: Run, snapshot: Snapshot) -> Snapshot:
    root, target, work = box.root, snapshot.target, run.folder / "work" / "charts"
    names = charts_of(root)
    values = {name: values_for(root, target, name) for name in names}
    manifests: dict[str, tuple[Object, ...]] = {}
    why = ""
    try:
        program = artifact.program(await box.supply.get("helm"))
        work.mkdir(parents=True, exist_ok=True)
        helm = Helm(program, Path(os.devnull), root, work, run.logs)  # no cluster is asked

        async def one(name: str) -> str:
            given = merged(target.chart_values(name), dict(_images(values[name], target.registry.repository)))
            files = files_for(root / "helm" / name, root, target, name)
            space = target.cluster.namespace_of(name)
            return await helm.rendered(name, f"helm/{name}", space, values=given, value_files=files, server=False)

        texts = await side_by_side(one, names)
        manifests = {name: tuple(_objects(text)) for name, text in zip(names, texts, strict=True)}
    except* (ChartError, SupplyError) as group:
        why = "; ".join(in_a_line(error) for error in leaves(group))
    shutil.rmtree(work, ignore_errors=True)
    if why:
        return replace(snapshot, missing={**snapshot.missing, "charts": why})
    return replace(snapshot, charts=Charts(manifests, values))


def _images(values: Mapping[str, Any], repository: str) -> Iterator[tuple[str, Any]]:
    """The values that name each image of a chart, wherever in it they stand."""
    for name, value in values.items():
        if isinstance(value, dict) and set(value) == {"repository", "digest"}:
            yield name, {"repository": f"{repository}/{name}", "digest": _NO_DIGEST}
        elif isinstance(value, dict) and (found := dict(_images(value, repository))):
            yield name, found


def _objects(text: str) -> Iterator[Object]:
    for one in yaml.load_all(text, Loader=_LOADER):
        if one:
            yield from one["items"] if one["kind"] == "List" else (one,)


async def _asked(box: Toolbox, home: Path, run: Run, snapshot: Snapshot, secrets: list[str]) -> Snapshot:
    async with reach(box, home, run, snapshot.target, await release_tools(box, run)) as there:
        try:
            secrets += await there.secrets()
        except ClusterError:  # what may not be read cannot be told by us either; shapes and names are masked anyway
            run.say("what is secret on the target could not be read: it is masked by names and shapes only")
        ways = Ways(
            objects=Api(there.client),
            prometheus=there.metrics(),
            alertmanager=there.alertmanager(),
            loki=there.logs(),
            ledger=partial(_ledger, there),
        )
        return await gather_readiness(snapshot, ways, deadline_seconds=box.settings.deadlines.evidence)


async def _ledger(there: TargetTools) -> Ledger:
    entries = await there.ledger.read()
    now = verified(entries)
    if now is None:
        return Ledger(entries)
    drift: list[str] = []
    unproven: list[str] = []
    try:
        release = await there.fetch(there.place, now.release)
        unproven += await there.unproven(there.place, release.release.images)
        drift += await drift_of(there, release)
    except* SluiceError as group:
        unproven, drift = [*unproven, *unchecked(group)], [*drift, *unchecked(group)]
    before = verified(entries, but=now.release)
    back = await _lacking(there, before) if before else []
    return Ledger(entries, tuple(drift), tuple(unproven), tuple(back))


async def _lacking(there: TargetTools, entry: Entry) -> list[str]:
    """Why a release could not be gone back to."""
    try:
        release = await there.fetch(there.place, entry.release)
        return await there.unproven(there.place, release.release.images)
    except* SluiceError as group:
        found = unchecked(group)
    return found
