"""Files and programs on this host by which a target is reached: kubeconfig, plugin, registry, key."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
import httpx
import yaml

from sluice.adapters.registry.access import Access
from sluice.adapters.registry.answer import try_registry
from sluice.doctor import Finding
from sluice.promotion.model import Target
from sluice.promotion.signing import Identity

_SECONDS = 20.0
# By a cloud: how its kubeconfig is written, and how its registry is logged in to.
KUBECONFIG = {
    "local": "./nox -s target -- up",
    "oke": "oci ce cluster create-kubeconfig --cluster-id <ocid> --region <region> --token-version 2.0.0",
    "aks": "az aks get-credentials -g <group> -n <cluster>, then: kubelogin convert-kubeconfig -l azurecli",
    "gke": "gcloud container clusters get-credentials <cluster> --region <region>",
}
_LOGIN = {
    "local": "./nox -s target -- up",
    "oke": "docker login {host} -u '<namespace>/<user>', with an auth token as the password",
    "aks": "az acr login --name {name}",
    "gke": "gcloud auth configure-docker {host}",
}
_EXAMPLE = re.compile(r"(?<![a-z0-9])example(?![a-z0-9])|examplesluice|^0{8}-(0{4}-){3}0{12}$")


@dataclass(frozen=True)
class Kubeconfig:
    """The files, and the user's part of the one that has the context. `findings` are what is wrong with them."""

    files: tuple[Path, ...]
    user: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()

    @property
    def path(self) -> Path:
        """As kubectl and its libraries take it, several files included."""
        return Path(os.pathsep.join(str(file) for file in self.files))


def names(target: Target) -> list[Finding]:
    """Whether somebody put their own names into the example."""
    storage = target.storage
    given = {
        "registry.repository": target.registry.repository,
        "cluster.context": target.cluster.context,
        "identity.subject": target.identity.subject if target.identity else "",
        **({f"storage.{key}": value for key, value in vars(storage).items()} if storage else {}),
    }
    untouched = [key for key, value in given.items() if value and _EXAMPLE.search(value)]
    if not untouched:
        return [Finding("names", "has", f"targets/{target.name}.toml")]
    return [Finding("names", "lacks", f"an example's: {', '.join(untouched)}", f"edit targets/{target.name}.toml")]


def trusted(target: Target, root: Path) -> list[Finding]:
    """Whose signature the target takes, and whether that can be checked here."""
    given = target.trusted(root)
    return _identity(given) if isinstance(given, Identity) else _public_key(target, given.file)


def _identity(given: Identity) -> list[Finding]:
    what, who = "identity", f"releases signed by {given.subject}, as {given.issuer} knows it"
    if not given.trusted_root:
        return [Finding(what, "has", f"{who}; Sigstore's keys are fetched")]
    # The format: https://github.com/sigstore/protobuf-specs, protos/sigstore_trustroot.proto
    cure = "cosign trusted-root create --with-default-services --out <file>"
    try:
        content = json.loads(Path(given.trusted_root).read_text(encoding="utf-8"))
        if not content["certificateAuthorities"]:
            raise LookupError
    except OSError as error:
        return [Finding(what, "lacks", f"{given.trusted_root}: {error.strerror}", cure)]
    except (ValueError, LookupError, TypeError):
        return [Finding(what, "lacks", f"{given.trusted_root} names no authority of certificates", cure)]
    return [Finding(what, "has", f"{who}; Sigstore's keys are in {given.trusted_root}")]


def _public_key(target: Target, path: Path) -> list[Finding]:
    what = "public key"
    if not path.is_file():
        cure = f"./nox -s release makes a pair in .sluice/keys; its cosign.pub belongs at {target.public_key}"
        return [Finding(what, "lacks", f"no file {target.public_key}", cure)]
    text = path.read_text(encoding="utf-8", errors="replace")
    if "PRIVATE KEY" in text:
        cure = f"take it away, and put the .pub there: {target.public_key}"
        return [Finding(what, "lacks", "a private key, which has no business there", cure)]
    if "BEGIN PUBLIC KEY" not in text:
        return [Finding(what, "lacks", f"{target.public_key} is no public key in PEM", "cosign public-key --key <key>")]
    return [Finding(what, "has", target.public_key)]


def read_kubeconfig(target: Target, root: Path, environment: Mapping[str, str]) -> Kubeconfig:
    """Find the target's context and its user; several files are looked through in kubectl's order."""
    files = target.cluster.kubeconfig_files(root, environment)
    there = tuple(file for file in files if file.is_file())
    cure = KUBECONFIG[target.cloud]
    shown = os.pathsep.join(map(str, files))

    def lacking(seen: str) -> Kubeconfig:
        return Kubeconfig(there, {}, (Finding("kubeconfig", "lacks", seen, cure),))

    if not there:
        return lacking(f"no file {shown}")
    users: dict[str, Mapping[str, Any]] = {}
    contexts: dict[str, str] = {}
    try:
        for file in reversed(there):  # kubectl takes the first that has a name
            given = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            users |= {one["name"]: one.get("user") or {} for one in given.get("users") or ()}
            contexts |= {one["name"]: one["context"]["user"] for one in given.get("contexts") or ()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, LookupError, TypeError, AttributeError) as error:
        return lacking(f"{shown} cannot be read ({type(error).__name__})")
    context = target.cluster.context
    if context not in contexts:
        return lacking(f"no context {context} in {shown}; there are {', '.join(sorted(contexts)) or 'none'}")
    found = Finding("kubeconfig", "has", f"context {context}")
    return Kubeconfig(there, users.get(contexts[context], {}), (found,))


async def plugin(kubeconfig: Kubeconfig, target: Target) -> list[Finding]:
    """The program that the kubeconfig gets its credentials from, run once; what it prints stays here."""
    given = kubeconfig.user.get("exec")
    if not given:
        return []
    what, program = "credentials plugin", str(given["command"])
    path = shutil.which(program)
    if path is None:
        cure = {
            "oke": "install OCI's command line, then: oci setup config",
            "aks": "az aks install-cli (brings kubelogin), then: az login",
            "gke": "gcloud components install gke-gcloud-auth-plugin, then: gcloud auth login",
        }.get(target.cloud, "install it")
        return [Finding(what, "lacks", f"{program} is not on PATH", cure)]
    info = {"apiVersion": given["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    more = {str(one["name"]): str(one["value"]) for one in given.get("env") or ()}
    login = {"oke": "oci session authenticate, or oci setup config", "aks": "az login", "gke": "gcloud auth login"}
    cure = login.get(target.cloud, "run it by hand")
    command = [path, *map(str, given.get("args") or ())]
    try:
        with anyio.fail_after(_SECONDS):
            done = await anyio.run_process(
                command,
                stdin=DEVNULL,
                check=False,
                env={**os.environ, **more, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            )
    except TimeoutError:
        return [Finding(what, "lacks", f"{program} did not end within {_SECONDS:.0f} s: does it wait for you?", cure)]
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return [Finding(what, "lacks", f"{program} failed: {said[-1] if said else 'it said nothing'}", cure)]
    return [Finding(what, "has", program)]


async def registry(
    target: Target, root: Path, environment: Mapping[str, str], transport: httpx.AsyncBaseTransport | None
) -> list[Finding]:
    """Whether the registry lets us in."""
    given, what = target.registry, f"registry {target.registry.host}"
    ca, credentials = given.ca_file(root), given.credentials_file(root, environment)
    login = _LOGIN[target.cloud].format(host=given.host, name=given.host.partition(".")[0])
    if ca and not ca.is_file():
        return [Finding(what, "lacks", f"no file {given.ca}", "registry.ca names the certificate that signs its own")]
    if given.credentials and not credentials.is_file():
        return [Finding(what, "lacks", f"no file {given.credentials}", login)]
    answer = await try_registry(given.repository, Access(credentials=credentials, ca=ca), transport=transport)
    if answer.state == "allowed":
        return [Finding(what, "has", answer.seen)]
    if answer.state == "refused":
        return [Finding(what, "lacks", answer.seen, login)]
    cure = f"curl -sS https://{given.host}/v2/"
    if "CERTIFICATE_VERIFY_FAILED" in answer.seen:
        cure = f"name the certificate that signs the registry's as registry.ca in targets/{target.name}.toml"
    return [Finding(what, "lacks", answer.seen, cure)]
