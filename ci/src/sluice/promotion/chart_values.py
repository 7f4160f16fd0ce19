"""What a chart is given on a target, merged as helm merges it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sluice.errors import TargetError
from sluice.promotion.model import PLATFORM, Target, located

HELM = "helm"
# As strict as the other; libyaml is not everywhere, and takes a tenth of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def charts_of(root: Path) -> tuple[str, ...]:
    """Return the names of the charts that a deploy installs: the platform's first, then the services'."""
    found = sorted(path.parent.name for path in (root / HELM).glob("*/Chart.yaml"))
    services = [name for name in found if name not in PLATFORM and _given(root, name, "type") != "library"]
    return (*(name for name in PLATFORM if name in found), *services)


def files_for(folder: Path, root: Path, target: Target, chart: str) -> tuple[Path, ...]:
    """Return the files of values of a chart on a target, the later one wins; the chart's own defaults left out.

    `folder` is the chart's, of a release or of the tree at `root`, which the target's own files are in.
    """
    of_cloud = folder / f"values-{target.cloud}.yaml"
    own = [located(root, file) for file in target.values_of(chart)]
    return (*([of_cloud] if of_cloud.is_file() else []), *own)


def values_for(root: Path, target: Target, chart: str) -> dict[str, Any]:
    """Return all values of a chart on a target but the images' digests. Raises TargetError for a file that is none."""
    found: dict[str, Any] = {}
    for library in _given(root, chart, "dependencies") or ():
        defaults = _read(root / HELM / library["name"] / "values.yaml")
        for name in library.get("import-values") or ():
            found = merged(found, defaults["exports"][name])
    for path in (root / HELM / chart / "values.yaml", *files_for(root / HELM / chart, root, target, chart)):
        found = merged(found, _read(path))
    return merged(found, target.chart_values(chart))


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return values laid over others as helm does it: maps are merged, null takes away, all else is replaced."""
    found = dict(under)
    for key, value in over.items():
        below = found.get(key)
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def _given(root: Path, chart: str, key: str) -> Any:
    return _read(root / HELM / chart / "Chart.yaml").get(key)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}
        if isinstance(found, dict):
            return found
        seen = f"a {type(found).__name__}"
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        seen = " ".join(str(error).split())
    raise TargetError(str(path), [seen], expected="a map of values, in YAML", next_command=f"mend {path.name}")
