"""START HERE: the whole line, in order, as plain async Python.

    source → images → cluster → observability + services → suites → evidence → verdict

Work goes on side by side as far as its inputs allow: an inner function waits for what it needs and then takes its
step. What a step does stands in steps/<name>.py; what it does it with is chosen in bootstrap.py.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import anyio

from sluice.bootstrap import Toolbox
from sluice.domain import Cluster, Evidence, Image, Images, Source, SuiteResults, Verdict
from sluice.errors import SluiceError
from sluice.run import Run, begin
from sluice.steps.evaluate_gate import evaluate_gate
from sluice.steps.install_charts import (
    LOGGING_IMAGES, MONITORING_IMAGES, Installer, install_fixture, install_logging, install_monitoring, install_service, prepare,
)  # fmt: skip


async def deliver(run: Run, tools: Toolbox, source: Source) -> tuple[Images, Cluster, SuiteResults]:
    """Build the source, raise a cluster, install everything and run the suites on it."""
    limits, spaces = tools.settings.deadlines, tools.settings.namespaces

    async with anyio.create_task_group() as group:

        async def make_cluster() -> Cluster:
            await run.step("supply cluster", tools.cluster_parts, deadline_seconds=limits.supply)
            return await run.step("create cluster", tools.create_cluster, deadline_seconds=limits.cluster)

        async def make_images() -> Images:
            await run.step("supply images", tools.image_parts, deadline_seconds=limits.supply)
            return await run.step("build images", partial(tools.build_images, source), deadline_seconds=limits.images)

        cluster = begin(group, make_cluster)
        images = begin(group, make_images)

        async def prepared() -> Installer:
            definitions = await tools.definitions()
            installer = await tools.installer(await cluster())
            await run.step("prepare cluster", partial(prepare, installer, definitions), deadline_seconds=limits.charts)
            return installer

        installer = begin(group, prepared)

        async def images_of(what: str, names: tuple[str, ...]) -> dict[str, Image]:
            return await run.step(f"supply {what}", partial(tools.component_images, names), deadline_seconds=limits.supply)

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
                for service in source.services:
                    work = partial(install_service, ready, service, spaces.services, built[service.name])
                    side_by_side.start_soon(partial(run.step, deadline_seconds=limits.charts), f"install {service.name}", work)

        for work in (services, monitoring, logging):
            begin(group, work)

    results = await run.step("run suites", partial(tools.run_suites, source), deadline_seconds=limits.suites + 30)
    return await images(), await cluster(), results


async def e2e(run: Run, tools: Toolbox) -> Verdict:
    """Deliver, then judge what was measured; evidence and a verdict come of every run, broken or stopped ones too."""
    source: Source | None = None
    images, cluster, results = Images(()), None, None
    failures: list[str] = []
    async with AsyncExitStack() as stack:
        stopped = await stack.enter_async_context(tools.stopped_by_signal())
        try:
            with stopped.scope:
                source = await run.step("resolve source", tools.resolve_source, deadline_seconds=60)
                images, cluster, results = await deliver(run, tools, source)
        except* SluiceError as group:
            failures += [str(error) for error in leaves(group)]
        if stopped.reason:
            failures.append(stopped.reason)
        with anyio.CancelScope(shield=True):
            evidence = await judge_inputs(run, tools, source, images, cluster, results, failures)
            verdict = evaluate_gate(tools.policy, evidence)
            tools.write_report(evidence, verdict)
            await tools.leave_cluster()
    return verdict


async def judge_inputs(
    run: Run, tools: Toolbox, source: Source | None, images: Images, cluster: Cluster | None,
    results: SuiteResults | None, failures: list[str],
) -> Evidence:  # fmt: skip
    """Collect what was measured; where something failed, also what the cluster looks like."""
    if failures or (results and results.exit_status != 0):
        await run.step("gather failure", tools.gather_failure, deadline_seconds=tools.settings.deadlines.evidence + 30)
    work = partial(tools.collect_evidence, source, images, cluster, results, failures)
    return await run.step("collect evidence", work, deadline_seconds=tools.settings.deadlines.evidence)


def leaves(group: BaseExceptionGroup[SluiceError]) -> list[SluiceError]:
    """Return the errors of a group of groups, in order, each once."""
    found: list[SluiceError] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return list({str(error): error for error in found}.values())
