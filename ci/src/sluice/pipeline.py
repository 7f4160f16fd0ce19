"""START HERE: the whole line, in order, as plain async Python.

    source → images → cluster → observability + services → suites → evidence → verdict

Work goes on side by side as far as its inputs allow: an inner function waits for what it needs and then takes its
step. What a step does stands in steps/<name>.py; what it does it with is chosen in bootstrap.py.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio

from sluice.bootstrap import Toolbox
from sluice.domain import Cluster, Evidence, Image, Images, Source, SuiteResults, Verdict
from sluice.run import Run, begin
from sluice.steps.evaluate_gate import evaluate_gate
from sluice.steps.install_charts import (
    LOGGING_IMAGES,
    MONITORING_IMAGES,
    Installer,
    install_fixture,
    install_logging,
    install_monitoring,
    install_service,
    prepare,
)

E = TypeVar("E", bound=BaseException)


@dataclass
class SoFar:
    """What a run has got to; a run that breaks is judged by this."""

    source: Source | None = None
    images: Images = field(default_factory=lambda: Images(()))
    cluster: Cluster | None = None
    results: SuiteResults | None = None
    failures: list[str] = field(default_factory=list)


async def deliver(run: Run, tools: Toolbox, so_far: SoFar) -> None:
    """Build the source, raise a cluster, install everything and run the suites on it."""
    source = so_far.source = await run.step("resolve source", tools.resolve_source, deadline_seconds=60)
    limits, spaces = tools.settings.deadlines, tools.settings.namespaces

    async with anyio.create_task_group() as group:

        async def make_cluster() -> Cluster:
            await run.step("supply cluster", tools.cluster_parts, deadline_seconds=limits.supply)
            so_far.cluster = await run.step("create cluster", tools.create_cluster, deadline_seconds=limits.cluster)
            return so_far.cluster

        async def make_images() -> Images:
            await run.step("supply images", tools.image_parts, deadline_seconds=limits.supply)
            work = partial(tools.build_images, source)
            so_far.images = await run.step("build images", work, deadline_seconds=limits.images)
            return so_far.images

        cluster = begin(group, make_cluster)
        images = begin(group, make_images)

        async def prepared() -> Installer:
            definitions = await tools.definitions()
            installer = await tools.installer(await cluster())
            await run.step("prepare cluster", partial(prepare, installer, definitions), deadline_seconds=limits.charts)
            return installer

        installer = begin(group, prepared)

        async def images_of(what: str, names: tuple[str, ...]) -> dict[str, Image]:
            work = partial(tools.component_images, names)
            return await run.step(f"supply {what}", work, deadline_seconds=limits.supply)

        async def monitoring() -> None:
            found, grafana = await images_of("monitoring", MONITORING_IMAGES), await tools.grafana()
            work = partial(install_monitoring, await installer(), spaces.monitoring, found, grafana)
            await run.step("install monitoring", work, deadline_seconds=limits.charts)

        async def logging() -> None:
            found = await images_of("logging", LOGGING_IMAGES)
            work = partial(install_logging, await installer(), spaces.logging, found)
            await run.step("install logging", work, deadline_seconds=limits.charts)

        async def services() -> None:
            required = tuple(sorted({name for service in source.services for name in service.requires}))
            fixtures = await images_of("fixtures", required)
            ready = await installer()
            for name, image in fixtures.items():
                work: Callable[[], Awaitable[object]] = partial(install_fixture, ready, name, spaces.services, image)
                await run.step(f"install {name}", work, deadline_seconds=limits.charts)
            built = {image.name: image for image in (await images()).images}
            async with anyio.create_task_group() as side_by_side:
                step = partial(run.step, deadline_seconds=limits.charts)
                for service in source.services:
                    work = partial(install_service, ready, service, spaces.services, built[service.name])
                    side_by_side.start_soon(step, f"install {service.name}", work)

        for work in (services, monitoring, logging):
            begin(group, work)

    suites = partial(tools.run_suites, source)
    so_far.results = await run.step("run suites", suites, deadline_seconds=limits.suites + 30)


async def e2e(run: Run, tools: Toolbox) -> Verdict:
    """Deliver, then judge what was measured; evidence and a verdict come of every run, broken or stopped ones too."""
    so_far = SoFar()
    async with tools.stopped_by_signal() as stopped:
        try:
            with stopped.scope:
                await deliver(run, tools, so_far)
        except* Exception as group:  # noqa: BLE001 - a mistake of ours is no reason to leave without evidence
            so_far.failures += [run.told(error) for error in leaves(group)]
        if stopped.reason:
            so_far.failures.append(stopped.reason)
        with anyio.CancelScope(shield=True):
            try:
                evidence = await measure(run, tools, so_far)
                verdict = evaluate_gate(tools.policy, evidence)
                tools.judge.write_report(evidence, verdict)
            finally:
                await tools.leave_cluster()
    return verdict


async def measure(run: Run, tools: Toolbox, so_far: SoFar) -> Evidence:
    """Collect what was measured; where something failed, also what the cluster looks like."""
    limit = tools.settings.deadlines.evidence
    if so_far.failures or (so_far.results and so_far.results.exit_status != 0):
        await run.step("gather failure", tools.judge.gather_failure, deadline_seconds=limit + 30)
    work = partial(
        tools.judge.collect_evidence, so_far.source, so_far.images, so_far.cluster, so_far.results, so_far.failures
    )
    return await run.step("collect evidence", work, deadline_seconds=limit)


def leaves(group: BaseExceptionGroup[E]) -> list[E]:
    """Return the errors of a group of groups, in order, each once."""
    found: list[E] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return list({str(error): error for error in found}.values())
