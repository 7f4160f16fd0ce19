"""The real programs over crane's registry, with what they are called with kept."""

import base64
import io
import json
import subprocess
import tarfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.contract.programs import program

from sluice.adapters.registry.access import Access
from sluice.adapters.registry.cosign import Cosign
from sluice.adapters.registry.oras import Oras
from sluice.adapters.registry.syft import Syft
from sluice.promotion.release import Kind
from sluice.promotion.signing import Key, Signer

PLAIN = Access(plain=True)
LOGIN = "promoter:open-sesame-31"


@dataclass
class Rig:
    """Adapters whose programs write down arguments, begin and end; `registry` is host:port of one in plain HTTP."""

    folder: Path
    registry: str
    keys: Key
    name: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.arguments, self.runs = self.folder / "arguments.txt", self.folder / "runs.txt"
        self.log = self.folder / "logs" / "registry.log"
        self.cosign = Cosign(self._recorded("cosign"), self.folder / "work", self.log)
        self.oras = Oras(self._recorded("oras"), self.log)
        self.syft = Syft(self._recorded("syft"), self.log)

    def image(self, host: str = "", *, package: str = "tinypkg") -> str:
        """Push an image with one Python package into a repository of this test's, and return it by digest.

        `host` is a front of the registry, to be spoken to through it.
        """
        layer = self.folder / f"{package}.tar"
        with tarfile.open(layer, "w") as tar:
            text = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2.3\n".encode()
            member = tarfile.TarInfo(f"usr/lib/python3/dist-packages/{package}-1.2.3.dist-info/METADATA")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
        repository = f"{self.name}/{package}"
        argv: list[str | Path] = [
            program("crane"),
            "append",
            "--oci-empty-base",
            "-f",
            layer,
            "-t",
            f"{self.registry}/{repository}:x",
        ]
        told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
        return f"{host or self.registry}/{repository}@{told.partition('@')[2]}"

    def secured(self, host: str, ca: Path, login: str = LOGIN) -> Access:
        """Access to a registry behind TLS and a login, with credentials in a file."""
        folder = self.folder / f"docker-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        auth = base64.b64encode(login.encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        return Access(credentials=folder / "config.json", ca=ca)

    async def signed(self, reference: str, access: Access = PLAIN, *, signer: Signer | None = None) -> str:
        """Sign, with the keys unless there is another signer, and return the reference."""
        await self.cosign.sign(reference, signer or self.keys, access)
        return reference

    async def attested(
        self, reference: str, predicate: object, kind: Kind, access: Access = PLAIN, *, signer: Signer | None = None
    ) -> str:
        """Attest a predicate, with the keys unless there is another signer, and return the reference."""
        file = self.folder / f"{uuid.uuid4().hex[:8]}.json"
        file.write_text(json.dumps(predicate))
        await self.cosign.attest(reference, file, kind, signer or self.keys, access)
        return reference

    def secrets(self) -> list[str]:
        """What nobody may be told: passwords, as they are and as HTTP sends them, and the private key."""
        basic = base64.b64encode(LOGIN.encode()).decode()
        return [self.keys.password, LOGIN.partition(":")[2], basic, "ENCRYPTED SIGSTORE"]

    def _recorded(self, name: str) -> Path:
        wrapper = self.folder / name
        wrapper.write_text(
            f'#!/bin/sh\necho begin >> "{self.runs}"\nprintf "%s\\n" "$@" >> "{self.arguments}"\n'
            f'"{program(name)}" "$@"\nstatus=$?\necho end >> "{self.runs}"\nexit $status\n'
        )
        wrapper.chmod(0o755)
        return wrapper
