"""What a run put on a kept cluster, remembered beside its credentials: the next one need not put it there again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sluice.files import write_atomically

ASIDE = "applied.json"


@dataclass
class Applied:
    """What stands on one cluster: by name, the digest of what it was made from and the workloads that it has.

    Taken when installing begins and given back when the suites ended: they break things on purpose and mend them. Of a
    run that is killed in between nothing is remembered, and the next one puts everything there again.
    """

    file: Path
    cluster: str = ""
    known: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    kept: bool = False  # whether an earlier run gave it back
    aside: Path | None = None

    @classmethod
    def take(cls, kubeconfig: Path, *, reuse: bool, aside: Path | None = None) -> Self:
        """Take what is remembered of the cluster of a kubeconfig; nothing of it, unless the cluster is used again."""
        file = file_of(kubeconfig)
        cluster = hashlib.sha256(kubeconfig.read_bytes()).hexdigest()  # another cluster, other credentials
        found = _read(file, cluster) if reuse else None
        file.unlink(missing_ok=True)
        taken = cls(file, cluster, found or {}, kept=found is not None, aside=aside)
        taken._set_aside()
        return taken

    def workloads(self, what: str, digest: str) -> tuple[str, ...] | None:
        """The workloads of what stands there as it is wanted; None where it has to be put there."""
        known, workloads = self.known.get(what, ("", ()))
        return workloads if known == digest else None

    def note(self, what: str, digest: str, workloads: tuple[str, ...] = ()) -> None:
        """It stands there now. A Job has done its work, and may be gone when somebody looks for it."""
        self.known[what] = (digest, tuple(one for one in workloads if not one.startswith("Job/")))
        self._set_aside()

    def give_back(self) -> None:
        """Let the next run know. Raises OSError."""
        write_atomically(self.file, self._text())

    def _set_aside(self) -> None:
        if self.aside:
            write_atomically(self.aside, self._text())

    def _text(self) -> bytes:
        return json.dumps({"cluster": self.cluster, "known": self.known}).encode()


def forget(kubeconfig: Path) -> None:
    """Forget what stood on a cluster that is no more."""
    file_of(kubeconfig).unlink(missing_ok=True)


def forget_namespace(kubeconfig: Path, namespace: str) -> None:
    """Forget what stood in a namespace that somebody emptied."""
    known = Applied.take(kubeconfig, reuse=True)
    if known.kept:
        known.known = {what: made for what, made in known.known.items() if not what.startswith(f"{namespace}/")}
        known.give_back()


def file_of(kubeconfig: Path) -> Path:
    """Where it is remembered what stands on a kubeconfig's cluster."""
    return kubeconfig.with_suffix(".applied.json")


def _read(file: Path, cluster: str) -> dict[str, tuple[str, tuple[str, ...]]] | None:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if said["cluster"] != cluster:
            return None
        known: Mapping[str, tuple[str, list[str]]] = said["known"]
        return {str(what): (str(digest), tuple(workloads)) for what, (digest, workloads) in known.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # not there, cut off, or of another cluster
        return None
