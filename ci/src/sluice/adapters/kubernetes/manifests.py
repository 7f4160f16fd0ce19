"""Putting plain manifests on the cluster, through kubectl."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from sluice.adapters.process import run
from sluice.domain import Image
from sluice.errors import ChartError, CommandFailed

_APPLY_SECONDS = 120


class Manifests:
    """kubectl against one cluster. `work` holds the kustomizations that name the images by digest."""

    def __init__(self, kubectl: Path, kubeconfig: Path, work: Path, logs: Path) -> None:
        self._kubectl = kubectl
        self._kubeconfig = kubeconfig
        self._work = work
        self._log = logs / "kubectl.log"
        self.secrets: list[str] = []  # what was created here; nothing that is written down may hold these

    async def apply(self, path: Path, *, server_side: bool = True) -> None:
        """Apply a file or every file of a folder. Server side: large definitions do not fit into an annotation."""
        flags = ["--server-side", "--force-conflicts"] if server_side else []
        await self._run(["apply", *flags, "--filename", str(path)], f"applying {path.name}")

    async def apply_fixture(self, folder: Path, images: Mapping[str, Image], namespace: str) -> None:
        """Apply a kustomization with its images set to the digests given."""
        overlay = self._work / "fixtures" / folder.name
        overlay.mkdir(parents=True, exist_ok=True)
        (overlay / "kustomization.yaml").write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "kustomize.config.k8s.io/v1beta1",
                    "kind": "Kustomization",
                    "namespace": namespace,
                    # kustomize takes relative paths only
                    "resources": [os.path.relpath(folder.resolve(), overlay.resolve())],
                    "images": [
                        {"name": name, "newName": image.repository, "digest": image.digest}
                        for name, image in images.items()
                    ],
                }
            )
        )
        await self._run(
            ["apply", "--server-side", "--force-conflicts", "--kustomize", str(overlay)], f"applying {folder.name}"
        )

    async def ensure_secret(self, name: str, namespace: str, values: Mapping[str, str]) -> None:
        """Create a secret unless it is there; its values travel on stdin and are written nowhere."""
        self.secrets += values.values()
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": dict(values),
        }
        try:
            await self._run(["create", "--filename", "-"], f"creating the secret {name}", json.dumps(manifest).encode())
        except ChartError as error:
            if "AlreadyExists" not in error.seen:
                raise

    async def _run(self, words: list[str], what: str, stdin: bytes | None = None) -> None:
        try:
            await run(
                [self._kubectl, "--kubeconfig", self._kubeconfig, *words],
                deadline_seconds=_APPLY_SECONDS,
                stdin=stdin,
                log=self._log,
                what=what,
            )
        except CommandFailed as error:
            raise ChartError(
                f"{what} failed", seen=error.seen, expected="the API server's consent", next_command=f"read {self._log}"
            ) from None
