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
from ipaddress import ip_address
from pathlib import Path

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sluice.files import write_atomically

_USER = "sluice"
_VALID = timedelta(days=365)
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


def certificates(names: tuple[str, ...]) -> tuple[bytes, bytes, bytes]:
    """A new authority, and a certificate for names with its key; PEM. Nobody keeps the authority's own key."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sluice's local target")])
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        _builder(subject, authority_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(encoding), certificate.public_bytes(encoding), private


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALID)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
