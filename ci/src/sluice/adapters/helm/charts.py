"""Installing charts: `helm upgrade --install`; readiness is waited for elsewhere, where the cause can be told."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from sluice.adapters.process import run
from sluice.domain import ChartRelease
from sluice.errors import ChartError, CommandFailed

_HELM_SECONDS = 180


class Helm:
    """Helm against one cluster. `work` holds copies of charts and the values given to them."""

    def __init__(self, helm: Path, kubeconfig: Path, charts: Path, work: Path, logs: Path) -> None:
        self._helm = helm
        self._kubeconfig = kubeconfig
        self._charts = charts
        self._work = work
        self._logs = logs

    async def install(
        self, release: str, chart: str, namespace: str, *, values: Mapping[str, object], value_files: Sequence[Path] = ()
    ) -> ChartRelease:
        """Install or upgrade a release of the chart at `chart` (a folder below the source tree).

        `values` win over `value_files`. Raises ChartError with Helm's words when it does not render or install.
        """
        folder = await self._with_dependencies(chart)
        given = self._work / f"values-{release}.yaml"
        given.write_text(yaml.safe_dump(dict(values), sort_keys=True))
        files = [word for file in [*value_files, given] for word in ("--values", str(file))]
        try:
            done = await run(
                [self._helm, "upgrade", release, folder, "--install", "--namespace", namespace, "--create-namespace",
                 "--kubeconfig", self._kubeconfig, "--output", "json", "--history-max", "5", *files],
                deadline_seconds=_HELM_SECONDS, log=self._logs / f"helm-{release}.log", what=f"helm upgrade {release}",
                env=self._environment(),
            )  # fmt: skip
        except CommandFailed as error:
            raise ChartError(
                f"the chart {chart} does not install as {release}", seen=error.seen, expected="a release",
                next_command=f"helm template {release} {chart} --values {given}",
            ) from None
        answer = json.loads(done.stdout[done.stdout.index("{"):])
        return ChartRelease(release, namespace, int(answer["version"]))

    async def _with_dependencies(self, chart: str) -> Path:
        """Copy a chart and put the library beside it, as `helm dependency build` would into the tree."""
        source = self._charts / chart
        if not (source / "Chart.yaml").is_file():
            raise ChartError(f"no chart at {chart}", seen="no Chart.yaml", expected="a chart",
                             next_command="see `chart` in the service's service.toml")  # fmt: skip
        target = self._work / "charts" / source.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        for dependency in yaml.safe_load((source / "Chart.yaml").read_text()).get("dependencies", []):
            repository = str(dependency["repository"]).removeprefix("file://")
            shutil.copytree(source / repository, target / "charts" / dependency["name"], dirs_exist_ok=True)
        return target

    def _environment(self) -> dict[str, str]:
        """Helm's own folders, so that a user's repositories and plug-ins do not matter."""
        return {f"HELM_{name}_HOME": str(self._work / "helm" / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
