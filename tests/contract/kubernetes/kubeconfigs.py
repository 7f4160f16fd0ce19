"""A kubeconfig for the API server of the test."""

from pathlib import Path

import yaml

TOKEN = "contract-test"


def kubeconfig(path: Path, *, server: str, authority: Path, token: str = TOKEN) -> Path:
    """Write a kubeconfig with a CA's file and a token."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "contract",
        "contexts": [{"name": "contract", "context": {"cluster": "contract", "user": "contract"}}],
        "clusters": [{"name": "contract", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "contract", "user": {"token": token}}],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
