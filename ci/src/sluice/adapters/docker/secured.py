"""What makes a local registry ask who somebody is, over TLS: a certificate, a password, and what is told of them.

<folder>/ca.crt                 who is to be believed
         config.json            the credentials, as Docker and its kin read them (docs.docker.com: docker login)
         registry/registry.crt  registry.key  htpasswd       what the registry itself reads
"""

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import bcrypt
from cryptography import x509

from sluice.certificates import certificates
from sluice.files import write_atomically

_USER = "sluice"
_RENEWED = timedelta(days=30)  # before its end
_MOUNTED = "/etc/sluice-registry"
_write = partial(write_atomically, private=True)


@dataclass(frozen=True)
class Secured:
    """The files of a secured registry below a folder, made once and made anew before the certificate ends."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate that the registry's own is signed by, PEM."""
        return self.folder / "ca.crt"

    @property
    def credentials(self) -> Path:
        """The Docker configuration with the credentials."""
        return self.folder / "config.json"

    def login(self) -> tuple[str, str]:
        """User and password. Raises OSError, ValueError and KeyError where `ensure` was not called before."""
        (known,) = json.loads(self.credentials.read_text())["auths"].values()
        user, _, password = base64.b64decode(known["auth"]).decode().partition(":")
        return user, password

    def ensure(self, address: str, names: tuple[str, ...]) -> None:
        """Make what is not there. `address` is how it is called in references, `names` what its certificate is for."""
        if self._holds(address):
            return
        inside = self.folder / "registry"
        inside.mkdir(parents=True, exist_ok=True)
        inside.chmod(0o700)
        self.ca.unlink(missing_ok=True)
        password = secrets.token_urlsafe(24)
        auth = base64.b64encode(f"{_USER}:{password}".encode()).decode()
        authority, certificate, key = certificates(names)
        # The cheapest hash: the registry makes it for every request, and 192 random bits are not guessed from it.
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()
        _write(inside / "registry.crt", certificate)
        _write(inside / "registry.key", key)
        _write(inside / "htpasswd", f"{_USER}:{hashed}\n".encode())
        _write(self.credentials, json.dumps({"auths": {address: {"auth": auth}}}).encode())
        _write(self.ca, authority)  # the last: with it all is there

    def run_arguments(self) -> Iterator[str]:
        """What `docker run` is told besides (distribution.github.io/distribution/about/configuration)."""
        yield from ("--volume", f"{(self.folder / 'registry').resolve()}:{_MOUNTED}:ro")
        settings = {
            "HTTP_TLS_CERTIFICATE": f"{_MOUNTED}/registry.crt",
            "HTTP_TLS_KEY": f"{_MOUNTED}/registry.key",
            "AUTH_HTPASSWD_REALM": "sluice",
            "AUTH_HTPASSWD_PATH": f"{_MOUNTED}/htpasswd",
        }
        for name, value in settings.items():
            yield from ("--env", f"REGISTRY_{name}={value}")

    def _holds(self, address: str) -> bool:
        try:
            known = json.loads(self.credentials.read_text())["auths"]
            ends = x509.load_pem_x509_certificate(self.ca.read_bytes()).not_valid_after_utc
            return address in known and ends - datetime.now(UTC) > _RENEWED
        except (OSError, ValueError, KeyError, TypeError):
            return False
