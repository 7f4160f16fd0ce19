"""How a registry is spoken to; programs are told by files and their environment, so that no secret is in a command."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import HostError

_DOCKER_NAME = "config.json"


@dataclass(frozen=True)
class Access:
    """How a registry is spoken to: `plain` is HTTP, `credentials` a Docker configuration, `ca` certificates in PEM.

    Without `credentials` programs look where Docker does, without `ca` they trust what this host does.
    """

    plain: bool = False
    credentials: Path | None = None
    ca: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment by which a program that knows Docker's configuration finds the credentials.

        Raises HostError where a file is not there, or cannot be what it is given as.
        """
        if self.ca is not None:
            _check_certificates(self.ca)
        if self.credentials is None:
            return {}
        named = self.credentials.name == _DOCKER_NAME
        if not named or not self.credentials.is_file():
            raise HostError(
                "a registry's credentials cannot be used",
                seen=f"{self.credentials} is {'not there' if named else 'called something else'}",
                expected=f"a Docker configuration: a file named {_DOCKER_NAME}",
                next_command=f"DOCKER_CONFIG={self.credentials.parent} docker login …",
            )
        return {"DOCKER_CONFIG": str(self.credentials.parent.resolve())}


def by_digest(reference: str) -> str:
    """Return a reference that names a digest. Raises ValueError for a tag, which may name something else tomorrow."""
    if "@sha256:" not in reference:
        raise ValueError(f"{reference}: expected <repository>@sha256:<digest>")
    return reference


def _check_certificates(file: Path) -> None:
    """Programs do not all say so where a certificate cannot be read; some go on with the host's."""
    try:
        ssl.create_default_context(cafile=str(file))
    except (OSError, ssl.SSLError) as error:
        raise HostError(
            "a registry's certificate cannot be used",
            seen=f"{file}: {error.strerror or error}",
            expected="certificates in PEM",
            next_command=f"openssl x509 -in {file} -noout -subject",
        ) from None
