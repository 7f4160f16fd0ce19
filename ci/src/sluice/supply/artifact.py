"""Where a component's artifact lies inside its folder of the cache, by form."""

from pathlib import Path

from sluice.domain import Component


def program(component: Component) -> Path:
    """The executable of a component of the form program (or of an image that was built from one)."""
    return Path(component.path) / component.name


def layout(component: Component) -> Path:
    """The OCI layout of a component of the form image."""
    return Path(component.path) / "oci"


def archive(component: Component) -> Path:
    """The `docker load` archive of a component of the form base or node."""
    return Path(component.path) / "image.tar"


def files(component: Component) -> Path:
    """The folder of a component of the form files."""
    return Path(component.path) / "files"


def engine_tag(component: Component) -> str:
    """The name under which an engine of this host holds a base or node image; another content, another name."""
    return f"sluice.local/{component.name}:{component.digest.removeprefix('sha256:')[:16]}"
