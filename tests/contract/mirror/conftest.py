"""Two brokers for all tests, and a mirror between them."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.mirror.rigs import Broker, Rig

# Soon seen, so that a test need not wait: topics and groups that come into being.
_SOON = {"refresh.topics.interval.seconds = 5": "refresh.topics.interval.seconds = 1",
         "refresh.groups.interval.seconds = 5": "refresh.groups.interval.seconds = 1"}  # fmt: skip


@dataclass(frozen=True)
class Regions:
    """The rig, the broker of the region that is active, and that of the one that stands by."""

    rig: Rig
    source: Broker
    target: Broker

    @property
    def log(self) -> Path:
        """What the mirror says."""
        return self.rig.home / "mirror.log"


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regions]:
    """Two regions, without a mirror; skipped where the host has no Java."""
    if not shutil.which("java"):
        pytest.skip("this host has no Java: apt-get install openjdk-17-jre-headless maven")
    rig = Rig(tmp_path_factory.mktemp("mirror"))
    for old, new in _SOON.items():
        assert old in rig.text
        rig.text = rig.text.replace(old, new)
    rig.lay_out()
    with rig.broker("source") as source, rig.broker("target") as target:
        yield Regions(rig, source, target)


@pytest.fixture(scope="module")
def mirror(regions: Regions) -> Iterator[subprocess.Popen[bytes]]:
    """A mirror that has just been started, or runs for the test before; the last test may kill it."""
    with regions.rig.mirror(regions.source, regions.target) as process:
        yield process
