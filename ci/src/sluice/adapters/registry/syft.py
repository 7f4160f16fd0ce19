"""syft: what an image is made of, package by package, as CycloneDX (https://cyclonedx.org/specification/overview/)."""

from pathlib import Path

from sluice.adapters.process import run
from sluice.adapters.registry.access import Access

_SECONDS = 600


class Syft:
    """Reads images where they lie, in a registry; `log` gets what syft says."""

    def __init__(self, program: Path, log: Path) -> None:
        self._program = program
        self._log = log

    async def sbom(self, reference: str, target: Path, access: Access) -> None:
        """Write the CycloneDX JSON of an image to a file. Raises CommandFailed with syft's words, NotReady in time.

        Nothing is asked of anything but the registry. Of a failure no file is left that could pass for an SBOM.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        env = {
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            "SYFT_REGISTRY_INSECURE_USE_HTTP": str(access.plain).lower(),
            "SYFT_CACHE_TTL": "0",  # no folder in the user's home
            "SYFT_FILE_METADATA_SELECTION": "none",  # each package's files would make it four times as long
            "NO_COLOR": "1",
        }
        if access.ca:
            env["SYFT_REGISTRY_CA_CERT"] = str(access.ca.resolve())
        try:
            await run(
                [self._program, "scan", f"registry:{reference}", "--output", f"cyclonedx-json={part}"],
                deadline_seconds=_SECONDS,
                env={**env, **access.environment()},
                log=self._log,
                what=f"the SBOM of {reference}",
            )
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
