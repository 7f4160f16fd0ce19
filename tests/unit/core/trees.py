"""Small source trees to deliver."""

from pathlib import Path

SERVICE = """\
[service]
name = "{name}"
description = "a service"
port = 8000
chart = "helm/{name}"
module = "{name}"
requires = ["postgresql"]
"""


def write(root: Path, files: dict[str, str]) -> None:
    """Write files by their paths below `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def tree(root: Path, *names: str) -> Path:
    """A whole source tree with these services."""
    write(root, {
        "services/servicekit/src/servicekit/__init__.py": "",
        "services/servicekit/tests/test_x.py": "",
        "services/build-requirements.lock": "build",
        "services/requirements.lock": "common lock",
        "services/Dockerfile": "FROM common",
        "services/README.md": "",
        "k8s-fixtures/postgresql/kustomization.yaml": "",
    })  # fmt: skip
    for name in names:
        write(root, {
            f"services/{name}/service.toml": SERVICE.format(name=name),
            f"services/{name}/src/{name}/__main__.py": "print()",
            f"helm/{name}/Chart.yaml": "",
        })  # fmt: skip
    return root
