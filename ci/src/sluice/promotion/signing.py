"""Who signs releases, and whose signature is taken: the owner of a key, or an identity that Sigstore vouches for.

Of an identity there is no key to keep: Sigstore's Fulcio gives a certificate of ten minutes for a token of an OIDC
issuer, and its log Rekor notes when it was used (https://docs.sigstore.dev/about/overview/). Adapters turn these types
into what their programs are told; nobody else has to ask which it is.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from sluice.policy.model import STRICT, told

GITHUB = "https://token.actions.githubusercontent.com"  # the issuer of the tokens of GitHub's workflows
_ISSUER = re.compile(r"https://[^\s/?#@]+(/[^\s?#]*)?")
# Whose repository it is stands before the first star: a pattern that others can make their workflows fit is none.
_PATTERN = re.compile(r"https://[^/*@]+/[^/*]+/[^/*]+/.+")


def _issuer(text: object) -> str:
    if isinstance(text, str) and _ISSUER.fullmatch(text):
        return text
    raise PydanticCustomError("issuer", f"expected an https URL, such as {GITHUB}")


def _subject(text: object) -> str:
    if isinstance(text, str) and re.fullmatch(r"\S+", text) and ("*" not in text or _PATTERN.fullmatch(text)):
        return text
    raise PydanticCustomError(
        "subject",
        "expected who signs, such as https://github.com/<owner>/<repository>/.github/workflows/release.yml"
        "@refs/tags/v*, with a * nowhere before the repository's end",
    )


@dataclass(frozen=True)
class PublicKey:
    """Taken is what the owner of a key signed; `file` is its public half, in PEM."""

    file: Path

    def __str__(self) -> str:
        return self.file.name

    @property
    def needed(self) -> str:
        """What a target says that takes it."""
        return f'public_key = "{self.file}"'


@dataclass(frozen=True)
class Identity:
    """Who may have signed, instead of `public_key`: an identity that an issuer of tokens knows, by its certificate."""

    __pydantic_config__ = STRICT

    issuer: Annotated[str, BeforeValidator(_issuer), told(f"who knows the identity: GitHub's workflows, `{GITHUB}`")]
    subject: Annotated[
        str,
        BeforeValidator(_subject),
        told(
            "the certificate's name, whole: the workflow's address with its ref, such as"
            " `https://github.com/<owner>/<repository>/.github/workflows/release.yml@refs/tags/v*`; a `*` stands for"
            " anything without a slash"
        ),
    ]
    trusted_root: Annotated[
        str, told("file: Sigstore's keys (`cosign trusted-root create`); without it cosign fetches those of Sigstore")
    ] = ""

    def __str__(self) -> str:
        return self.subject

    @property
    def needed(self) -> str:
        """What a target says that takes it."""
        return f'[identity] with issuer = "{self.issuer}" and subject = "{self.subject}"'


Trusted = PublicKey | Identity


@dataclass(frozen=True)
class Key:
    """Signs with a pair of keys: files, and the password of the private one."""

    private: Path
    public: Path
    password: str = field(repr=False)

    def __str__(self) -> str:
        return str(self.private)

    @property
    def trusted(self) -> PublicKey:
        """Whose signature it makes."""
        return PublicKey(self.public)


@dataclass(frozen=True)
class Keyless:
    """Signs with a token of its surroundings, as one identity: no pattern.

    `signing_config` is a file that names the services of another Sigstore than the public one.
    """

    trusted: Identity
    signing_config: Path | None = None

    def __str__(self) -> str:
        return str(self.trusted)


Signer = Key | Keyless
