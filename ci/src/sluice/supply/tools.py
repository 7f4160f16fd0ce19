"""Laying components out for the tests: programs on a path, schemas and definitions in folders of fixed names."""

import shutil
import tarfile
from pathlib import Path

from sluice.domain import Component
from sluice.errors import SupplyError
from sluice.supply import artifact, oci

_CLUSTER = ("helm", "promtool", "amtool", "crane", "kubectl", "kind", "etcd", "alloy-syntax")
PROGRAMS = (*_CLUSTER, "cosign", "oras", "syft", "actionlint")
IMAGES = ("prometheus", "alertmanager", "loki", "promtail", "versitygw")
SCHEMAS, DEFINITIONS = "kubernetes-openapi", "monitoring-crds"
NAMES = (*PROGRAMS, *IMAGES, SCHEMAS, DEFINITIONS)


def lay_out(components: dict[str, Component], target: Path) -> None:
    """Fill `target` with bin/, openapi/ and crds/; what is there already and still true is kept."""
    (target / "bin").mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        _link(target / "bin" / name, artifact.program(components[name]))
    for name in IMAGES:
        _extract(components[name], target / "bin" / name)
    _link(target / "openapi", artifact.files(components[SCHEMAS]))
    _link(target / "crds", artifact.files(components[DEFINITIONS]))


def _link(link: Path, points_to: Path) -> None:
    if link.is_symlink() and link.readlink() == points_to:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(points_to)


def _extract(component: Component, target: Path) -> None:
    """Take the program of an image out of its layers, the topmost first."""
    mark = target.with_name(f".{component.name}.digest")
    if target.exists() and mark.exists() and mark.read_text() == component.digest:
        return
    for layer in reversed(oci.layout_layers(artifact.layout(component))):
        with tarfile.open(layer) as tar:
            for member in tar:
                if member.isfile() and Path(member.name).name == component.name and member.mode & 0o100:
                    source = tar.extractfile(member)
                    assert source is not None
                    target.unlink(missing_ok=True)  # it may run now, or be a link into the cache
                    with target.open("wb") as out:
                        shutil.copyfileobj(source, out)
                    target.chmod(0o755)
                    mark.write_text(component.digest)
                    return
    raise SupplyError(
        f"the image of {component.name} holds no program of that name",
        seen=str(artifact.layout(component)),
        expected=f"an executable file named {component.name}",
        next_command="./nox -s clean -- --cache",
    )
