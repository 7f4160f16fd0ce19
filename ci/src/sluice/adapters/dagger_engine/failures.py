"""What an engine says of a failure, in the form of ours."""

import dagger

from sluice.errors import CommandFailed

_TAIL_LINES = 12


def as_command_failed(failed: str, error: dagger.QueryError, *, expected: str, next_command: str) -> CommandFailed:
    """Return the error with the last lines of the command that failed; the engine's own words where none did."""
    status, said = 1, str(error)
    if isinstance(error, dagger.ExecError):
        status, said = error.exit_code, error.stderr or error.stdout or str(error)
    return CommandFailed(
        f"{failed}, exit status {status}", status=status,
        seen="\n            ".join(said.strip().splitlines()[-_TAIL_LINES:]), expected=expected,
        next_command=next_command,
    )  # fmt: skip
