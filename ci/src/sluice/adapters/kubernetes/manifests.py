"""Putting plain manifests on the cluster, through kubectl."""

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import yaml

from sluice.adapters.kubernetes.applied import Applied
from sluice.adapters.kubernetes.patience import patiently
from sluice.adapters.process import run
from sluice.domain import Image
from sluice.errors import ChartError, CommandFailed
from sluice.supply.cache import digest_of, key_of

_APPLY_SECONDS = 120
# What kubectl calls the kinds that something is waited for, and what the API calls them.
_WORKLOADS = {
    "deployment.apps": "Deployment",
    "statefulset.apps": "StatefulSet",
    "daemonset.apps": "DaemonSet",
    "job.batch": "Job",
}
_FORCED = ("--server-side", "--force-conflicts")


class Manifests:
    """kubectl against one cluster. `work` holds the kustomizations that name the images by digest.

    What `applied` knows to stand there already is not applied again.
    """

    def __init__(self, kubectl: Path, kubeconfig: Path, work: Path, logs: Path, applied: Applied) -> None:
        self._kubectl = kubectl
        self._kubeconfig = kubeconfig
        self._work = work
        self.applied = applied
        self._log = logs / "kubectl.log"
        self.secrets: list[str] = []  # what is in Secrets made here; nothing that is written down may hold these

    async def apply(self, path: Path, *, server_side: bool = True) -> None:
        """Apply a file or every file of a folder. Server side: large definitions do not fit into an annotation."""
        flags = _FORCED if server_side else ()
        digest = digest_of(path)
        if self.applied.workloads(path.name, digest) is None:
            await self._run(["apply", *flags, "--filename", str(path)], f"applying {path.name}")
            self.applied.note(path.name, digest)

    async def apply_fixture(
        self, folder: Path, images: Mapping[str, Image], namespace: str, *, label: tuple[str, str]
    ) -> tuple[str, ...]:
        """Apply a kustomization with its images set to the digests given, and a label on every object.

        Returns what of it runs, as `Kind/name`.
        """
        overlay = self._overlay(label)
        # kustomize takes relative paths only
        resource = os.path.relpath(folder.resolve(), overlay.resolve())
        return await self._kustomize(overlay, resource, images, namespace, label)

    async def apply_for_service(
        self, file: Path, images: Mapping[str, Image], namespace: str, *, service: str, label: tuple[str, str]
    ) -> tuple[str, ...]:
        """Apply a fixture's file for one service, in the same way.

        Filled in are `${service}`, `${identifier}` (the same with `_` for `-`) and `${revision}`: 8 hexadecimal digits
        over the images and all files of the fixture, for what cannot be changed once it is there.
        """
        overlay = self._overlay(label)
        text = file.read_text(encoding="utf-8")
        variables = {"service": service, "identifier": service.replace("-", "_"), "revision": _revision(file, images)}
        for name, value in variables.items():
            text = text.replace(f"${{{name}}}", value)
        (overlay / file.name).write_text(text)
        return await self._kustomize(overlay, file.name, images, namespace, label)

    async def ensure_secret(
        self, name: str, namespace: str, values: Mapping[str, str], *, kind: str = "Opaque"
    ) -> None:
        """Create a secret of a type unless it is there; its values travel on stdin and are written nowhere."""
        if self.applied.kept and (found := await self.read_secret(name, namespace)):
            self._keep_unsaid(found)
            return
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "type": kind,
            "stringData": dict(values),
        }
        try:
            await self._run(["create", "--filename", "-"], f"creating the secret {name}", json.dumps(manifest).encode())
        except ChartError as error:
            if "AlreadyExists" not in error.seen:
                raise
            values = await self.read_secret(name, namespace)
        self._keep_unsaid(values)

    def _keep_unsaid(self, values: Mapping[str, str]) -> None:
        self.secrets += [secret for value in values.values() for secret in (value, *_inside(value))]

    async def read_secret(self, name: str, namespace: str) -> dict[str, str]:
        """Return the values of a secret; none where it is not there. Raises ChartError."""
        words = ["get", "secret", name, "--namespace", namespace, "--ignore-not-found", "--output", "json"]
        said = await self._run(words, f"reading the secret {name}", logged=False)
        data = json.loads(said or "{}").get("data") or {}
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}

    def _overlay(self, label: tuple[str, str]) -> Path:
        overlay = self._work / "fixtures" / label[1]
        overlay.mkdir(parents=True, exist_ok=True)
        return overlay

    async def _kustomize(
        self, overlay: Path, resource: str, images: Mapping[str, Image], namespace: str, label: tuple[str, str]
    ) -> tuple[str, ...]:
        kustomization: dict[str, object] = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": namespace,
            "resources": [resource],
            "labels": [{"pairs": dict([label])}],
            "images": [
                {"name": name, "newName": image.repository, "digest": image.digest} for name, image in images.items()
            ],
        }
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        what = f"{namespace}/{label[1]}"
        # Where the tree lies does not matter, what is in it does.
        digest = key_of(kustomization | {"resources": digest_of(overlay / resource)})
        known = self.applied.workloads(what, digest)
        if known is not None:
            return known
        words = ["apply", *_FORCED, "--output", "name", "--kustomize", str(overlay)]
        said = await self._run(words, f"applying {label[1]}")
        applied = [line.strip().partition("/") for line in said.splitlines()]
        workloads = tuple(f"{_WORKLOADS[kind]}/{name}" for kind, _, name in applied if kind in _WORKLOADS)
        self.applied.note(what, digest, workloads)
        return workloads

    async def _run(self, words: Sequence[str], what: str, stdin: bytes | None = None, *, logged: bool = True) -> str:
        try:
            command = partial(
                run,
                [self._kubectl, "--kubeconfig", self._kubeconfig, *words],
                deadline_seconds=_APPLY_SECONDS,
                stdin=stdin,
                log=self._log if logged else None,
                what=what,
            )
            done = await patiently(command)
        except CommandFailed as error:
            raise ChartError(
                f"{what} failed", seen=error.seen, expected="the API server's consent", next_command=f"read {self._log}"
            ) from None
        return done.stdout


def _revision(file: Path, images: Mapping[str, Image]) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in file.parent.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(file.parent)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    total.update("\n".join(sorted(image.reference for image in images.values())).encode())
    return total.hexdigest()[:8]


def _inside(value: str) -> list[str]:
    """The private part of a JSON Web Key, which gives it away without the rest."""
    try:
        key = json.loads(value)
    except ValueError:
        return []
    return [str(key["d"])] if isinstance(key, dict) and "d" in key else []
