"""Everything that Sluice raises on purpose.

    SluiceError
    ├── SettingsError       sluice.toml or the environment
    ├── SourceError         the source tree: a service without service.toml, no git
    ├── ProjectError        a folder that is to hold a project, or does
    ├── SupplyError         a component cannot be obtained
    │   ├── DigestMismatch  what arrived is not what was asked for
    │   ├── Truncated       it arrived in part
    │   ├── Unreachable     no answer from where it lies
    │   └── DiskFull        no room for it
    ├── HostError           this machine lacks something: an engine, root, a free port, disk
    ├── CommandFailed       a program that we started ended with a failure
    ├── ClusterError        kind or Kubernetes refused
    ├── ChartError          a chart does not render or does not install
    ├── NotReady            a deadline passed; carries the last cause
    ├── ReferencePageError  docs/reference is not what it is made of
    ├── EvidenceError       evidence is missing, broken or of another schema
    ├── SignatureRefused    not signed, or by somebody else
    ├── PolicyError         release/policy.toml
    ├── TargetError         targets/*.toml
    ├── RecoveryError       what was backed up cannot be restored, or did not come back
    ├── FailoverError       a region cannot be raised, asked or switched to
    ├── FailoverRefused     a region may not become the active one, with every reason
    ├── LedgerError         a target's ledger is broken, or was cut or rewritten
    ├── PromotionRefused    a release may not go to a target, with every reason
    ├── PromotionUnderWay   somebody else is promoting to the target
    └── LockLost            the promotion lock could not be kept

Each says, in this order: what failed, the value seen, what was expected, the next command.
"""

from collections.abc import Sequence


class SluiceError(Exception):
    """Base of the tree; shown to the user as it is, never with a traceback."""

    def __init__(self, failed: str, *, seen: str = "", expected: str = "", next_command: str = "") -> None:
        self.failed = failed
        self.seen = seen
        self.expected = expected
        self.next_command = next_command
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.failed]
        lines += [f"  seen:     {self.seen}"] if self.seen else []
        lines += [f"  expected: {self.expected}"] if self.expected else []
        lines += [f"  next:     {self.next_command}"] if self.next_command else []
        return "\n".join(lines)


def in_a_line(error: Exception) -> str:
    """Return what failed and what was seen, for a place that has room for no more."""
    if isinstance(error, SluiceError):
        return ": ".join(filter(None, (error.failed, error.seen)))
    return f"{type(error).__name__}: {error}"


class _Mistakes(SluiceError):
    """Several mistakes of one file, told together."""

    kind = "mistake"

    def __init__(self, where: str, mistakes: Sequence[str], *, expected: str = "", next_command: str = "") -> None:
        self.mistakes = tuple(mistakes)
        count = f"{len(self.mistakes)} {self.kind}{'s' if len(self.mistakes) != 1 else ''}"
        super().__init__(
            f"{where}: {count}\n" + "\n".join(f"  - {mistake}" for mistake in self.mistakes),
            expected=expected,
            next_command=next_command,
        )


class SettingsError(_Mistakes):
    """Raised when sluice.toml or the environment holds values that cannot be used."""


class PolicyError(_Mistakes):
    """Raised when release/policy.toml cannot be used."""


class TargetError(_Mistakes):
    """Raised when targets/*.toml cannot be used, or names no target that was asked for."""


class SloError(_Mistakes):
    """Raised when a service's slo.yaml cannot be used, or what is generated from it is not up to date."""


class ReferencePageError(_Mistakes):
    """Raised when a page of docs/reference is not what it is made of, or cannot be made."""


class SourceError(_Mistakes):
    """Raised when the source tree is not what the pipeline can deliver."""


class ProjectError(SluiceError):
    """Raised when a folder cannot be, or is not, a project that adopts Sluice."""


class SupplyError(SluiceError):
    """Raised when a component cannot be obtained."""


class DigestMismatch(SupplyError):
    """Raised when what arrived has another digest than was asked for."""


class Truncated(SupplyError):
    """Raised when a transfer ended before its announced length."""


class Unreachable(SupplyError):
    """Raised when the place a component lies at does not answer."""


class DiskFull(SupplyError):
    """Raised when there is no room left."""


class HostError(SluiceError):
    """Raised when this machine lacks something that the run needs."""


class CommandFailed(SluiceError):
    """Raised when a program that we started failed; `status` is its exit status."""

    def __init__(self, failed: str, *, status: int, seen: str = "", expected: str = "", next_command: str = "") -> None:
        self.status = status
        super().__init__(failed, seen=seen, expected=expected, next_command=next_command)


class ClusterError(SluiceError):
    """Raised when kind or Kubernetes refused what was asked."""


class ChartError(SluiceError):
    """Raised when a chart does not render or does not install."""


class NotReady(SluiceError):
    """Raised when a deadline passed; `seen` is the last cause."""


class EvidenceError(SluiceError):
    """Raised when evidence is missing, broken, or written under another schema."""


class SignatureRefused(SluiceError):
    """Raised when an image or a release is not signed by whom it has to be; `signed` tells if by somebody else."""

    def __init__(
        self, failed: str, *, signed: bool, seen: str = "", expected: str = "", next_command: str = ""
    ) -> None:
        self.signed = signed
        super().__init__(failed, seen=seen, expected=expected, next_command=next_command)


class RecoveryError(SluiceError):
    """Raised when back-ups cannot be made or restored, or what they restore is not what was kept."""


class FailoverError(SluiceError):
    """Raised when a region cannot be raised, asked or switched, or says what cannot be."""


class FailoverRefused(_Mistakes):
    """Raised before anything is changed, where a region may not become the active one; tells every reason."""

    kind = "reason"


class LedgerError(SluiceError):
    """Raised when a target's ledger is not what Sluice wrote, or takes no such entry."""


class PromotionRefused(_Mistakes):
    """Raised before anything is changed, where a release may not go to a target; tells every reason."""

    kind = "reason"


class PromotionUnderWay(SluiceError):
    """Raised when the promotion lock of a target is held by somebody who is alive."""


class LockLost(SluiceError):
    """Raised when the promotion lock could not be renewed in time, or somebody else has it now."""
