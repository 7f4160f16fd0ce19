"""The command line. Every command says what went wrong in one place, without a traceback."""

import io
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sluice import doctor as host_doctor
from sluice.adapters.dagger_engine import presence
from sluice.bootstrap import Options, Toolbox, kubeconfig
from sluice.cluster_lock import clusters_held
from sluice.domain import Evidence, Verdict, load
from sluice.entrypoints.commands import Commands, Json, Quiet
from sluice.entrypoints.compare_command import compare_runs
from sluice.entrypoints.conclusion import conclusion
from sluice.entrypoints.console import (
    Mode,
    answer,
    finish,
    home,
    note,
    progress,
    root,
    say,
    say_end,
    settings_of,
    show,
    shown,
)
from sluice.entrypoints.deploy_commands import Cloud, Named, chosen, deploy, history, rollback, status
from sluice.entrypoints.evidence_command import evidence
from sluice.entrypoints.gate_command import gate
from sluice.entrypoints.init_command import init
from sluice.entrypoints.offline_folder import how_to_use, lay_out_offline
from sluice.entrypoints.operations import OPERATIONS
from sluice.entrypoints.outdated_command import outdated
from sluice.entrypoints.reference_command import reference
from sluice.entrypoints.release_command import release
from sluice.entrypoints.schemas_command import schemas
from sluice.entrypoints.summary_command import summarize
from sluice.entrypoints.target_command import target
from sluice.errors import SettingsError
from sluice.housekeeping import clean as remove_ours
from sluice.pipeline import e2e as whole_line
from sluice.policy import load_policy
from sluice.preflight import examine_target
from sluice.promotion.targets import load_targets
from sluice.report.terminal import components_table, failed_tests, steps_table, verdict_table
from sluice.run import Run
from sluice.settings import Settings
from sluice.slo import files as slo_files
from sluice.steps.suite_plan import selection_of
from sluice.supply import maven
from sluice.supply import tools as test_tools

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
SupplyMode = Annotated[
    Mode | None,
    typer.Option("--supply", help="where components come from: **auto** asks upstream and else builds from source"),
]
NoInstall = Annotated[bool, typer.Option("--no-install", help="never install or start a container engine on this host")]


@app.callback()
def about(_quiet: Quiet = False, _json: Json = False) -> None:
    """**Sluice**: an evidence-gated delivery pipeline.

    Builds the services' images, raises a kind cluster, installs the observability charts, runs the E2E suites,
    and judges what they measured. Exit status: 0 pass or warn, 1 fail, 2 it could not be tried.
    """


@app.command()
def e2e(
    keep: Annotated[bool, typer.Option("--keep", help="leave the cluster running afterwards")] = False,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="use a kept cluster where it still fits; implies --keep")
    ] = False,
    suite: Annotated[list[str] | None, typer.Option("--suite", help="only this suite; may be given again")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="only the smoke tests; with --reuse in a minute")] = False,
    shard: Annotated[
        str,
        typer.Option("--shard", metavar="N/M", help="only the Nth of M parts of the suites, which take equally long"),
    ] = "",
    supply: SupplyMode = None,
    no_install: NoInstall = False,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="docker or dagger; auto takes what is at hand")
    ] = None,
) -> None:
    """The whole line: components, images, cluster, charts, suites, evidence, verdict.

    A first run builds every component, 45 minutes on two cores; later ones are at the suites after 3 minutes.
    The evidence is one folder below .sluice/runs, .sluice/latest is the newest; open its report.html.
    A run of a part of the suites is no verdict on a release: its exit status is 0 where all that was asked for passed.
    Of a whole run the exit status is 0 for pass or warn, 1 for fail, 2 where it could not be tried.
    """
    settings = settings_of(supply, runtime)

    async def work() -> int:
        part = selection_of(smoke=fast, shard=shard)
        options = Options(keep or reuse, reuse, not no_install, tuple(suite or ()), part)
        in_engine = settings.run.runtime == "dagger" or (settings.run.runtime == "auto" and presence.reachable())
        # Inside the toolbox of an engine the steps run; starting another engine there would never end.
        line = _line_in_engine if in_engine and not presence.inside() else _line_here
        folder = await line(settings, options)
        found, verdict = load(Evidence, folder / "evidence.json"), load(Verdict, folder / "verdict.json")
        show(components_table(found), steps_table(found), verdict_table(verdict), failed_tests(found))
        concluded = conclusion(load_policy(root() / "release" / "policy.toml").required_suites, found, verdict)
        say_end(folder, found.failures, concluded.text)
        failed = [test for test in found.tests if test.failed]
        answer(verdict=verdict, partial=found.partial, components=found.components, steps=found.steps, failed=failed)
        if options.keep and line is _line_here:
            show(f"the cluster is kept: kubectl --kubeconfig {kubeconfig(settings)} get pods -A")
        return concluded.exit_status

    finish(work)


async def _line_here(settings: Settings, options: Options) -> Path:
    """Run the line with this host's container engine; returns the run's folder."""
    with clusters_held(settings, command="e2e"), progress() as shown_here:
        run = Run(home(settings), shown_here)
        tools = Toolbox(root(), settings, run, options)
        with run.whole(_asked(options)):
            await tools.check_host()
            await whole_line(run, tools)
    return run.folder


def _asked(options: Options) -> str:
    """The run by what was asked of it: runs of one name take about equally long."""
    parts = ["e2e", "--reuse" if options.reuse else "", *options.suites, str(options.selection)]
    return ", ".join(part for part in parts if part)


async def _line_in_engine(settings: Settings, options: Options) -> Path:
    """Run the line in a Dagger engine; returns the folder that it exported its run to."""
    refused = {
        "--keep and --reuse: the cluster of the runtime dagger lives and ends inside the engine": options.keep,
        "--fast and --shard: the runtime dagger runs whole suites": bool(str(options.selection)),
    }
    if any(refused.values()):
        raise SettingsError(
            "the command line",
            [mistake for mistake, made in refused.items() if made],
            expected="--runtime docker with them",
            next_command="./nox -s e2e -- --runtime docker --keep",
        )
    from sluice.entrypoints import dagger_run

    return await dagger_run.e2e(
        root(),
        home(settings),
        suites=options.suites,
        supply=settings.supply.mode,
        offline=Path(settings.run.offline) if settings.run.offline else None,
        say=note,
    )


@app.command()
def supply(
    names: Annotated[list[str] | None, typer.Argument(help="components; all of them when none is named")] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="print the table of what is in the cache, obtain nothing")
    ] = False,
    tools: Annotated[Path | None, typer.Option("--tools", help="lay out what the tests need below this folder")] = None,
    offline: Annotated[
        Path | None, typer.Option("--offline", help="lay out what a Dagger engine without a registry starts from")
    ] = None,
    lock_jars: Annotated[
        str, typer.Option("--lock-jars", help="write maven/NAME/jars.lock anew from what its pom.xml resolves to")
    ] = "",
    supply: SupplyMode = None,
    no_install: NoInstall = False,
) -> None:
    """Obtain components ahead of time, or list them: name, version, how obtained, size, seconds."""
    settings = settings_of(supply)

    async def work() -> int:
        with progress() as shown_here:
            # Beside the runs: what it leaves is logs, and no evidence to compare or to judge.
            run = Run(home(settings) / "supply", shown_here)
            if lock_jars:
                told = partial(shown_here.update, f"jars of {lock_jars}")
                say(shown(await maven.refresh_lock(lock_jars, settings.cache, run.logs / "mvn.log", told)))
                return 0
            box = Toolbox(root(), settings, run, Options(may_install=not no_install))
            if not list_:
                box.check_disk()
                wanted = test_tools.NAMES if tools else tuple(names or box.everything())
                box.check_names(wanted)
                found = await box.supply.get_all(*wanted)
                if tools:
                    test_tools.lay_out({component.name: component for component in found}, tools)
                if offline:
                    await lay_out_offline(box, run, shown_here, offline)
        components = tuple(box.supply.cached() if list_ else box.supply.obtained)
        if not tools:
            show(components_table(components), *([how_to_use(offline)] if offline else []))
        answer(components=components)
        return 0

    finish(work)


app.command()(gate)
app.command("compare")(compare_runs)
app.command()(evidence)
app.command("summary")(summarize)
app.command()(outdated)
app.command()(schemas)
app.command()(reference)
app.command()(release)
app.command()(deploy)
app.command()(rollback)
app.command()(status)
app.command()(history)
app.command()(target)
app.command()(init)
for _name, _command in OPERATIONS.items():
    app.command(_name)(_command)


@app.command()
def slo(
    check: Annotated[bool, typer.Option("--check", help="write nothing: exit status 2 where a file differs")] = False,
) -> None:
    """Generate rules of Prometheus and their tests from the service level objectives in services/*/slo.yaml."""

    async def work() -> int:
        if check:
            say(f"{slo_files.check(root())} files are as services/*/slo.yaml says")
            return 0
        changed = slo_files.write(root())
        show(*map(str, changed))
        say(f"{len(changed)} files changed")
        answer(changed=changed)
        return 0

    finish(work)


@app.command()
def doctor(cloud: Cloud = "", target: Named = "") -> None:
    """What this host has and lacks, each line with its cure; with --cloud, what a **target** lacks for a deploy.

    Nothing is changed. Exit status 1 where a run, or a deploy, could not go.
    """

    async def work() -> int:
        if cloud or target:
            to = chosen(load_targets(root()), cloud, target)
            findings = await examine_target(to, root())
            show(host_doctor.table(findings, title=to.name))
        else:
            findings = await host_doctor.examine(settings_of())
            show(host_doctor.table(findings))
        lacking = [finding.what for finding in findings if finding.state == "lacks"]
        say(f"lacks: {', '.join(lacking)}" if lacking else "nothing that is needed is missing")
        answer(findings=findings)
        return 1 if lacking else 0

    finish(work)


@app.command()
def clean(
    cache: Annotated[
        bool, typer.Option("--cache", help="also remove every component that was built or fetched")
    ] = False,
) -> None:
    """Remove what Sluice made on this host: its cluster, its registry, its engine. Nothing else is touched."""

    async def work() -> int:
        removed = await remove_ours(settings_of(), root(), with_cache=cache)
        show(*removed)
        answer(removed=removed)
        return 0

    finish(work)


def main() -> None:
    """Entry point of `python -m sluice`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a sign that the locale does not have is no reason to break
            stream.reconfigure(errors="replace")
    app()
