"""START HERE: the whole line, in order, as plain async Python.

    source → images → cluster → observability + services → suites → evidence → verdict

Work goes on side by side as far as its inputs allow: an inner function waits for what it needs and then takes its
step. What a step does stands in steps/<name>.py; what it does it with is chosen in bootstrap.py.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

import anyio

from sluice.bootstrap import Toolbox
from sluice.domain import Cluster, Evidence, Fixture, Image, Images, Service, Source, SuiteResults, Verdict
from sluice.errors import SluiceError
from sluice.judging import Judge
from sluice.policy import Policy
from sluice.run import Run, begin
from sluice.settings import Settings
from sluice.steps.evaluate_gate import evaluate_gate
from sluice.steps.install_charts import (
    LOGGING_IMAGES,
    MONITORING_IMAGES,
    Installer,
    install_logging,
    install_monitoring,
    install_service,
    prepare,
)
from sluice.steps.install_fixtures import install_fixture, provide
from sluice.steps.install_receivers import install_receivers, install_receivers_secrets
from sluice.steps.install_secrets import install_secrets

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
    source = await raise_system(run, tools, so_far)
    suites = partial(tools.run_suites, source)
    so_far.results = await run.step("run suites", suites, deadline_seconds=tools.settings.deadlines.suites + 30)


Before = Callable[[str, Installer], Awaitable[None]]


async def _nothing(_part: str, _installer: Installer) -> None:
    """What there is to do before a part is installed, where nobody says otherwise."""


async def raise_system(run: Run, tools: Toolbox, so_far: SoFar, before: Before = _nothing) -> Source:
    """Build the source, raise a cluster and install everything; returns the source.

    `before` is called with a fixture's name, `monitoring` or `logging` before that is installed: for what is restored.
    """
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

        async def shared_secrets() -> None:
            work = partial(install_secrets, await installer(), spaces.services)
            await run.step("make secrets", work, deadline_seconds=limits.charts)

        secrets = begin(group, shared_secrets)

        async def images_of(what: str, names: tuple[str, ...]) -> dict[str, Image]:
            work = partial(tools.component_images, names)
            return await run.step(f"supply {what}", work, deadline_seconds=limits.supply)

        async def fixture(one: Fixture) -> dict[str, Image]:
            found = await images_of(one.name, one.images)
            await before(one.name, await installer())
            work = partial(install_fixture, await installer(), one, spaces.services, found)
            await run.step(f"install {one.name}", work, deadline_seconds=limits.charts)
            return found

        fixtures = {one.name: begin(group, partial(fixture, one)) for one in source.fixtures}

        async def service(one: Service) -> None:
            required: dict[str, Image] = {}
            # What is made for each service goes on while other fixtures still start.
            for needed in sorted(source.fixtures, key=lambda each: not each.each_service):
                if needed.name not in one.requires:
                    continue
                found = await fixtures[needed.name]()
                required |= found
                if needed.each_service:
                    work = partial(provide, await installer(), needed, one, spaces.services, found)
                    await run.step(f"{needed.name} for {one.name}", work, deadline_seconds=limits.charts)
            await secrets()
            image = next(image for image in (await images()).images if image.name == one.name)
            install = partial(install_service, await installer(), one, spaces.services, image, required)
            await run.step(f"install {one.name}", install, deadline_seconds=limits.charts)

        async def monitoring() -> None:
            found, grafana = await images_of("monitoring", MONITORING_IMAGES), await tools.grafana()
            keys = partial(install_receivers_secrets, await installer(), spaces.monitoring)
            await run.step("make receivers' secrets", keys, deadline_seconds=limits.charts)
            await before("monitoring", await installer())
            work = partial(install_monitoring, await installer(), spaces.monitoring, found, grafana)
            await run.step("install monitoring", work, deadline_seconds=limits.charts)

        async def receivers() -> None:
            image = (await images()).images[0]
            work = partial(install_receivers, await installer(), spaces.monitoring, image)
            await run.step("install receivers", work, deadline_seconds=limits.charts)

        async def logging() -> None:
            found = await images_of("logging", LOGGING_IMAGES)
            await before("logging", await installer())
            work = partial(install_logging, await installer(), spaces.logging, found)
            await run.step("install logging", work, deadline_seconds=limits.charts)

        for each in source.services:
            begin(group, partial(service, each))
        for work in (monitoring, receivers, logging):
            begin(group, work)
    return source


async def e2e(run: Run, tools: Toolbox) -> Verdict:
    """Deliver, then judge what was measured; evidence and a verdict come of every run, broken or stopped ones too."""
    so_far = SoFar()
    tools.judge.begin()
    async with tools.stopped_by_signal() as stopped:
        try:
            with stopped.scope:
                await deliver(run, tools, so_far)
        except* Exception as group:  # noqa: BLE001 - a mistake of ours is no reason to leave without evidence
            so_far.failures += [run.told(error) for error in leaves(group)]
        if stopped.reason:
            so_far.failures.append(stopped.reason)
            so_far.results = so_far.results or tools.judge.results_so_far(f"the run was {stopped.reason}")
        with anyio.CancelScope(shield=True):
            try:
                verdict = await conclude(run, tools, so_far)
            finally:
                await tools.leave_cluster()
    return verdict


class Judging(Protocol):
    """What it takes to conclude a run: the toolbox, or less for one that was killed."""

    @property
    def settings(self) -> Settings:
        """The deadlines are of interest."""
        ...

    @property
    def policy(self) -> Policy:
        """What is judged by."""
        ...

    @property
    def judge(self) -> Judge:
        """Who measures and writes."""
        ...


async def conclude(run: Run, tools: Judging, so_far: SoFar) -> Verdict:
    """Measure, judge and report what a run has got to."""
    evidence = await measure(run, tools, so_far)
    verdict = evaluate_gate(tools.policy, evidence)
    tools.judge.write_report(evidence, verdict)
    return verdict


async def measure(run: Run, tools: Judging, so_far: SoFar) -> Evidence:
    """Collect what was measured and what dashboards show; where something failed, also what the cluster looks like."""
    limit = tools.settings.deadlines.evidence

    async def show_dashboards() -> None:
        panels = partial(tools.judge.collect_dashboards, so_far.results)
        with suppress(SluiceError):  # a picture is no evidence; that the step failed stands in the timings
            await run.step("collect dashboards", panels, deadline_seconds=limit)

    async with anyio.create_task_group() as group:
        if so_far.cluster:
            group.start_soon(show_dashboards)
            seen = partial(tools.judge.settled, so_far.results)
            so_far.results = await run.step("await last scrape", seen, deadline_seconds=limit)
        if so_far.failures or (so_far.results and so_far.results.exit_status != 0):
            gather = partial(tools.judge.gather_failure, so_far.results, tuple(so_far.failures))
            so_far.results = await run.step("gather failure", gather, deadline_seconds=limit + 60)
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
