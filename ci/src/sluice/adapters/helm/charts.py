"""Installing charts: `helm upgrade --install`; readiness is waited for elsewhere, where the cause can be told."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import yaml

from sluice.adapters.kubernetes.patience import patiently
from sluice.adapters.process import Completed, run
from sluice.domain import ChartRelease
from sluice.errors import ChartError, CommandFailed

_HELM_SECONDS = 180


class Helm:
    """Helm against one cluster. `work` holds copies of the charts, `logs` what Helm said and the values given.

    With `keep_current` a release that was installed from the same chart and values is left as it is.
    """

    def __init__(
        self, helm: Path, kubeconfig: Path, charts: Path, work: Path, logs: Path, *, keep_current: bool = False
    ) -> None:
        self._helm = helm
        self._kubeconfig = kubeconfig
        self._charts = charts
        self._work = work
        self._logs = logs
        self._keep_current = keep_current

    async def install(
        self,
        release: str,
        chart: str,
        namespace: str,
        *,
        values: Mapping[str, object],
        value_files: Sequence[Path] = (),
    ) -> ChartRelease:
        """Install or upgrade a release of the chart at `chart` (a folder below the source tree).

        `values` win over `value_files`. Raises ChartError with Helm's words when it does not render or install.
        """
        folder, given = self._laid_out(release, chart, values)
        log = self._logs / f"helm-{release}.log"
        description = _described(folder, [*value_files, given])
        if found := await self._deployed(release, namespace, description, log):
            return found
        files = [word for file in [*value_files, given] for word in ("--values", str(file))]
        words: list[str | Path] = [
            self._helm,
            "upgrade",
            release,
            folder,
            "--install",
            "--create-namespace",
            "--output",
            "json",
        ]
        # What somebody edited by hand is as the chart says again; without it, helm would stop at the first such field.
        words += ["--force-conflicts", "--history-max", "5", "--description", description, *files]
        try:
            try:
                done = await self._helm_command(words, release, namespace, log)
            except CommandFailed as error:
                if "another operation" not in error.seen:
                    raise
                await self._release_lock(release, namespace, log)
                done = await self._helm_command(words, release, namespace, log)
        except CommandFailed as error:
            raise ChartError(
                f"the chart {chart} does not install as {release}",
                seen=error.seen,
                expected="a release",
                next_command=f"helm template {release} {chart} --values {given}",
            ) from None
        try:
            answer = json.loads(done.stdout[done.stdout.find("{") :])
            return ChartRelease(release, namespace, int(answer["version"]))
        except (ValueError, KeyError, TypeError):
            raise ChartError(
                f"helm upgrade {release} did not tell the release",
                seen=done.tail[-300:],
                expected="JSON with `version`",
                next_command=f"read {log}",
            ) from None

    async def installed(self, release: str, namespace: str) -> bool:
        """Whether a revision of the release was ever up; one whose first install was killed never was."""
        try:
            words: list[str | Path] = [self._helm, "history", release, "--output", "json"]
            told = await self._helm_command(words, release, namespace, self._logs / f"helm-{release}.log")
            return any(one["status"] in ("deployed", "superseded") for one in json.loads(told.stdout))
        except (CommandFailed, ValueError, LookupError, TypeError):  # not there, or not understood
            return False

    async def manifest(self, release: str, namespace: str) -> str:
        """What a release put on the cluster, as YAML; empty where there is none."""
        try:
            words: list[str | Path] = [self._helm, "get", "manifest", release]
            return (await self._helm_command(words, release, namespace, None)).stdout
        except CommandFailed as error:
            if "release: not found" in error.seen:  # a credential plugin's program may not be found either
                return ""
            raise

    async def rendered(
        self,
        release: str,
        chart: str,
        namespace: str,
        *,
        values: Mapping[str, object],
        value_files: Sequence[Path] = (),
        server: bool = True,
    ) -> str:
        """What `install` would put on the cluster, as YAML, and is not done. Raises ChartError.

        The cluster is asked for what it knows, but not without `server`: then there need be none.
        """
        folder, given = self._laid_out(release, chart, values)
        files = [word for file in [*value_files, given] for word in ("--values", str(file))]
        words: list[str | Path] = [self._helm, "template", release, folder, *files]
        words += ["--is-upgrade", "--no-hooks"]  # hooks are in no release's manifest either
        words += ["--dry-run=server" if server else "--dry-run=client"]
        try:
            return (await self._helm_command(words, release, namespace, None)).stdout
        except CommandFailed as error:
            raise ChartError(
                f"the chart {chart} does not render",
                seen=error.seen,
                expected="manifests",
                next_command=f"helm template {release} {chart} --values {given}",
            ) from None

    async def _deployed(self, release: str, namespace: str, description: str, log: Path) -> ChartRelease | None:
        """The release that is deployed, if it says of itself what would be said of this one."""
        if not self._keep_current:
            return None
        try:
            words: list[str | Path] = [self._helm, "history", release, "--max", "1", "--output", "json"]
            newest = json.loads((await self._helm_command(words, release, namespace, log)).stdout)[-1]
            same = (newest["status"], newest["description"]) == ("deployed", description)
            return ChartRelease(release, namespace, int(newest["revision"])) if same else None
        except (CommandFailed, ValueError, LookupError, TypeError):  # not there, or not understood: it is installed
            return None

    def _laid_out(self, release: str, chart: str, values: Mapping[str, object]) -> tuple[Path, Path]:
        """The chart's copy, and the file of the values."""
        folder = self._with_dependencies(chart, self._work / "charts" / release)
        given = self._logs / f"values-{release}.yaml"  # kept with the run: digests, no secrets
        given.write_text(yaml.safe_dump(dict(values), sort_keys=True))
        return folder, given

    def _with_dependencies(self, chart: str, below: Path) -> Path:
        """Copy a chart and put the library beside it, as `helm dependency build` would into the tree."""
        source = self._charts / chart
        if not (source / "Chart.yaml").is_file():
            raise ChartError(
                f"no chart at {chart}",
                seen="no Chart.yaml",
                expected="a chart",
                next_command="see `chart` in the service's service.toml",
            )
        target = below / source.name  # a copy for each release: services may share a chart, and go side by side
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        for name, library in _dependencies(chart, source):
            shutil.copytree(library, target / "charts" / name, dirs_exist_ok=True)
        return target

    async def _release_lock(self, release: str, namespace: str, log: Path) -> None:
        """Undo what a killed run left half-way: back to the last release, or away where there was none."""
        try:
            await self._helm_command([self._helm, "rollback", release], release, namespace, log)
        except CommandFailed:
            await self._helm_command([self._helm, "uninstall", release], release, namespace, log)

    async def _helm_command(
        self, words: Sequence[str | Path], release: str, namespace: str, log: Path | None
    ) -> Completed:
        command = partial(
            run,
            [*words, "--namespace", namespace, "--kubeconfig", self._kubeconfig],
            deadline_seconds=_HELM_SECONDS,
            log=log,
            what=f"helm {words[1]} {release}",
            env=self._environment(),
        )
        return await patiently(command)

    def _environment(self) -> dict[str, str]:
        """Helm's own folders, so that a user's repositories and plug-ins do not matter."""
        return {f"HELM_{name}_HOME": str(self._work / "helm" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}


def _described(folder: Path, files: Sequence[Path]) -> str:
    """What a release says of itself: a digest over all that it is made from."""
    digest = hashlib.sha256()
    for path in [*sorted(path for path in folder.rglob("*") if path.is_file()), *files]:
        content = path.read_bytes() if path.is_file() else b""
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return f"sluice {digest.hexdigest()[:16]}"


def _dependencies(chart: str, source: Path) -> list[tuple[str, Path]]:
    """The names and folders of the charts that a chart starts from; they lie in the tree, nothing is fetched."""
    try:
        listed = yaml.safe_load((source / "Chart.yaml").read_text(encoding="utf-8")).get("dependencies") or []
        found = [(str(one["name"]), str(one.get("repository", ""))) for one in listed]
    except (yaml.YAMLError, AttributeError, TypeError, KeyError) as error:
        raise ChartError(
            f"{chart}/Chart.yaml cannot be read",
            seen=f"{type(error).__name__}: {error}",
            expected="a chart of apiVersion v2",
            next_command=f"helm lint {chart}",
        ) from None
    for name, repository in found:
        if not repository.startswith("file://") or not (source / repository.removeprefix("file://")).is_dir():
            raise ChartError(
                f"the chart {chart} depends on {name}, which is not in the tree",
                seen=repository or "nothing",
                expected="file://… that leads to a chart's folder",
                next_command=f"mend {chart}/Chart.yaml",
            )
    return [(name, source / repository.removeprefix("file://")) for name, repository in found]
