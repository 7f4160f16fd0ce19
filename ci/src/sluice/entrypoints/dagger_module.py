"""Sluice, an evidence-gated delivery pipeline, as Dagger functions.

    ./dagger call build export --path .sluice/images
    ./dagger check
    ./dagger call e2e export --path .sluice/evidence
    ./dagger call gate --evidence .sluice/evidence
    ./dagger call deploy --target gke --kubeconfig file:kubeconfig

They run the commands that ./nox runs, in containers of the engine. ./dagger puts right what Dagger's own command line
would not take: it spells e2e as e-2-e, and it keeps --cloud for itself, so that no function here has an argument of
that name and targets are named with --target.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import dagger
from dagger import DefaultPath, Doc, Ignore, check, dag, function, object_type

from sluice.adapters.dagger_engine import line, promotion
from sluice.adapters.dagger_engine.promotion import KeySecrets, Releases
from sluice.adapters.dagger_engine.toolbox import LEFT_OUT
from sluice.entrypoints.dagger_cluster import Cluster

# No backquotes in what is said of an argument: the command line would take what they hold for the name of its value.
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
Target = Annotated[str, Doc("The target: the name of its file in targets/, such as gke")]
Kubeconfig = Annotated[
    dagger.Secret,
    Doc("A kubeconfig with the target's context, whole in itself: a token or a certificate in it, no plug-in"),
]
Registries = Annotated[
    dagger.Secret | None,
    Doc("A Docker config.json with the credentials of the registries: the releases' and the target's"),
]
Repository = Annotated[
    str, Doc("Registry and path that releases are kept in; else as sluice.toml says, else this engine's own registry")
]
Ca = Annotated[dagger.File | None, Doc("Certificates (PEM) that the releases' registry is trusted by")]
Who = Annotated[str, Doc("Who asks, for the target's ledger, such as a mail address")]
DryRun = Annotated[bool, Doc("Change nothing: say what would change, and what is against it")]

F = TypeVar("F", bound=Callable[..., Any])


def uncached(work: F) -> F:
    """A function whose answer is of its hour: never from the engine's cache."""
    made: F = function(cache="never")(work)  # type: ignore[call-overload]  # the overloads lack it
    return made


@object_type
class Sluice:
    """An evidence-gated delivery pipeline: builds the services, proves them on a real cluster, judges the evidence."""

    offline: Annotated[
        dagger.Directory | None,
        Doc("For an engine that reaches no container registry: the folder that supply --offline lays out"),
    ] = None  # a dagger.field would be a function too

    @function
    async def build(self, source: Files, supply: Supply = "auto") -> dagger.Directory:
        """Build every service's image from its Dockerfile.

        Returns a folder with one OCI layout per service and images.json, which names their digests: the same as ./nox
        builds. The layouts can be pushed as they are: `crane push images/backend registry/backend`.
        """
        return await line.images(dag, source, supply=supply, offline=self.offline).sync()

    @function
    async def test(self, source: Files, supply: Supply = "auto") -> str:
        """Run everything that needs no cluster: lint, types, unit, contract, chart and rules tests.

        The same as `./nox -s tests`. Returns what was printed; fails where a test fails.
        """
        return await self._passed(source, "tests", supply)

    @function
    @check
    async def lint(self, source: Files) -> str:
        """Check with ruff: rules and format of every Python file."""
        return await self._passed(source, "lint")

    @function
    @check
    async def types(self, source: Files) -> str:
        """Check with mypy, strictly: every type in pipeline, services and tests."""
        return await self._passed(source, "types")

    @function
    @check
    async def unit(self, source: Files) -> str:
        """Run the unit tests, of the pipeline and of each service: hermetic and fast."""
        return await self._passed(source, "unit")

    @function
    @check
    async def contract(self, source: Files) -> str:
        """Run the contract tests: adapters against the real programs, on loopback."""
        return await self._passed(source, "contract")

    @function
    @check
    async def charts(self, source: Files) -> str:
        """Render every chart for every cloud, against Kubernetes' schemas and our policy."""
        return await self._passed(source, "charts")

    @function
    @check
    async def rules(self, source: Files) -> str:
        """Run promtool on every rule: each alert fires and keeps quiet when it should."""
        return await self._passed(source, "rules")

    @function
    def cluster(self, source: Files, supply: Supply = "auto") -> Cluster:
        """Raise a kind cluster inside the engine, for this session: a service, and its kubeconfig.

        The bare cluster that e2e installs into. `cluster service up --ports 6443:6443` tunnels to it from the host.
        """
        made: Any = Cluster  # Dagger's decorator hides what it decorates
        return made(source=source, supply=supply, offline=self.offline)  # type: ignore[no-any-return]

    @uncached  # a run is a measurement
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

    @uncached
    async def release(
        self,
        evidence: Annotated[dagger.Directory, Doc("The folder of a run that passed: what e2e returned on this engine")],
        source: Tree,
        key: Annotated[dagger.Secret, Doc("The private key that it is signed with (cosign generate-key-pair)")],
        password: Annotated[dagger.Secret, Doc("The private key's password")],
        public_key: Annotated[dagger.File, Doc("The public half, which targets name as their public_key")],
        repository: Repository = "",
        registries: Registries = None,
        ca: Ca = None,
        supply: Supply = "auto",
    ) -> dagger.Directory:
        """Make a signed release of a passing run: images by digest, with SBOM, provenance and verdict.

        The images are those that e2e left in this engine. Returns release.json and what goes with it; the release
        itself lies beside the images in the repository. Done again, it does what is left.
        """
        signing, kept = KeySecrets(key, password, public_key), Releases(repository, registries, ca)
        made = promotion.release(dag, source, evidence, signing, kept, supply=supply, offline=self.offline)
        return await made.sync()

    @uncached
    async def deploy(
        self,
        source: Tree,
        target: Target,
        kubeconfig: Kubeconfig,
        release: Annotated[str, Doc("Its id; without one the newest")] = "",
        repository: Repository = "",
        registries: Registries = None,
        ca: Ca = None,
        who: Who = "",
        dry_run: DryRun = False,
        full: Annotated[bool, Doc("With --dry-run: every line that would change")] = False,
    ) -> str:
        """Promote a release to a target: check, copy by digest, install, verify; else back to what was verified before.

        Fails where it was rolled back, refused or failed. Killed at any point, the same call goes on where it was. What
        each promotion left is in `promotions`, also of those that failed.
        """
        words = ["--release", release] * bool(release) + ["--dry-run"] * dry_run + ["--full"] * full
        kept = Releases(repository, registries, ca)
        return await self._asked(source, ["deploy", "--target", target, *words], kubeconfig, kept, who)

    @uncached
    async def promote(
        self,
        source: Tree,
        release: Annotated[str, Doc("The release's id, which is that of the run that proved it")],
        target: Target,
        kubeconfig: Kubeconfig,
        repository: Repository = "",
        registries: Registries = None,
        ca: Ca = None,
        who: Who = "",
        dry_run: DryRun = False,
    ) -> str:
        """Promote one release, named by its id: `deploy` that never takes what happens to be the newest."""
        words = ["deploy", "--target", target, "--release", release, *["--dry-run"] * dry_run]
        return await self._asked(source, words, kubeconfig, Releases(repository, registries, ca), who)

    @uncached
    async def rollback(
        self,
        source: Tree,
        target: Target,
        kubeconfig: Kubeconfig,
        to: Annotated[str, Doc("A release that was verified there; without it the one before")] = "",
        registries: Registries = None,
        who: Who = "",
        dry_run: DryRun = False,
    ) -> str:
        """Go back to the release that was verified before, out of the target's own registry; or undo a half promotion.

        No window and no freeze is against it; it is verified as by a deploy.
        """
        words = ["rollback", "--target", target, *["--to", to] * bool(to), *["--dry-run"] * dry_run]
        return await self._asked(source, words, kubeconfig, Releases(registries=registries), who)

    @uncached
    async def status(
        self,
        source: Tree,
        kubeconfig: Kubeconfig,
        target: Annotated[str, Doc("Only this target; every one that targets/ has, if none is named")] = "",
        registries: Registries = None,
    ) -> str:
        """Say what runs on each target: release, since when, verdict, budget left, and what differs.

        Fails where something differs from what was promoted, or a target could not be asked.
        """
        words = ["status", *["--target", target] * bool(target)]
        return await self._asked(source, words, kubeconfig, Releases(registries=registries))

    @uncached
    async def history(self, source: Tree, target: Target, kubeconfig: Kubeconfig) -> str:
        """Say what was promoted to a target, when, by whom and what came of it; its ledger's chain is checked."""
        return await self._asked(source, ["history", "--target", target], kubeconfig, Releases())

    @uncached
    async def promotions(self, source: Files) -> dagger.Directory:
        """Return what promotions from this engine left: a folder of evidence each, and copies of the ledgers."""
        return await promotion.left(dag, source, self.offline).sync()

    async def _passed(self, source: dagger.Directory, session: str, supply: str = "auto") -> str:
        """What a session of the noxfile printed; raises where it failed."""
        return await line.checked(dag, source, session, supply=supply, offline=self.offline).stdout()

    async def _asked(
        self, source: dagger.Directory, words: list[str], kubeconfig: dagger.Secret, releases: Releases, who: str = ""
    ) -> str:
        """What a command on targets printed; raises where it failed."""
        run = promotion.asked(dag, source, words, kubeconfig, releases, who=who, offline=self.offline)
        return await run.stdout()
