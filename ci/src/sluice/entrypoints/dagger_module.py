"""Sluice, an evidence-gated delivery pipeline, as Dagger functions.

    ./dagger call build export --path images
    ./dagger call test
    ./dagger call e2e export --path evidence
    ./dagger call gate --evidence evidence

They run the commands that ./nox runs, in containers of the engine. ./dagger puts right what Dagger's own command line
would not take: it spells e2e as e-2-e, and it keeps --cloud for itself, so that no function here has an argument of
that name and targets are named with --target.
"""

from typing import Annotated

import dagger
from dagger import DefaultPath, Doc, Ignore, dag, function, object_type

from sluice.adapters.dagger_engine import line
from sluice.adapters.dagger_engine.toolbox import LEFT_OUT

Tree = Annotated[
    dagger.Directory,
    DefaultPath("/"),
    Ignore(LEFT_OUT),
    Doc("The source tree; the one that the module was loaded from, if none is given"),
]
# Without history: a commit that changes no file builds and tests nothing again.
Files = Annotated[
    dagger.Directory,
    DefaultPath("/"),
    Ignore([*LEFT_OUT, ".git"]),
    Doc("The source tree; the one that the module was loaded from, if none is given"),
]
Supply = Annotated[str, Doc("Where components come from: upstream, source, or auto, which asks upstream first")]


@object_type
class Sluice:
    """An evidence-gated delivery pipeline: builds the services, proves them on a real cluster, judges the evidence."""

    offline: Annotated[
        dagger.Directory | None,
        # No backquotes: the command line would take what they hold for the name of the value.
        Doc("For an engine that reaches no container registry: the folder that supply --offline lays out"),
    ] = None  # a dagger.field would be a function too

    @function
    async def build(self, source: Files, supply: Supply = "auto") -> dagger.Directory:
        """Build every service's image from its Dockerfile.

        Returns a folder with one OCI layout per service and images.json, which names their digests. The layouts can be
        pushed as they are: `crane push images/backend registry/backend`.
        """
        return await line.images(dag, source, supply=supply, offline=self.offline).sync()

    @function
    async def test(self, source: Files, supply: Supply = "auto") -> str:
        """Run everything that needs no cluster: lint, types, unit, contract, chart and rules tests.

        The same as `./nox -s tests`. Returns what was printed; fails where a test fails.
        """
        return await line.checked(dag, source, supply=supply, offline=self.offline).stdout()

    # A run is a measurement: never answered from the cache. (The decorator takes `cache`, its overloads lack it.)
    @function(cache="never")  # type: ignore[call-overload, untyped-decorator]
    async def e2e(
        self,
        source: Tree,
        suites: Annotated[list[str] | None, Doc("Only these suites; all of them if none is named")] = None,
        supply: Supply = "auto",
    ) -> dagger.Directory:
        """Run the whole line on a kind cluster inside the engine, and return its evidence.

        The folder holds evidence.json, verdict.json, report.html, JUnit files, logs, and what a failure left behind. It
        is returned whatever the verdict is, since a failed run is the one to read: `exit-status` in it holds 0 for pass
        or warn, 1 for fail, 2 where the run could not be tried, and `gate` turns a verdict into success or failure.
        """
        found = line.evidence(dag, source, suites=suites or (), supply=supply, offline=self.offline)
        return await found.sync()

    @function
    async def gate(
        self, evidence: Annotated[dagger.Directory, Doc("The folder that e2e returned")], source: Files
    ) -> str:
        """Judge the evidence of a run by release/policy.toml.

        Returns the verdict with every objective's value and criterion; fails where the verdict is fail.
        """
        return await line.judged(dag, source, evidence, offline=self.offline).stdout()
