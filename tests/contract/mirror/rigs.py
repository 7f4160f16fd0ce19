"""Two brokers, a MirrorMaker between them and Kafka's own tools, from the jars that the images are made of."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
from tests.contract.programs import free_ports, running

from sluice.certificates import certificates
from sluice.settings import load_settings
from sluice.supply import maven

FIXTURE = Path(__file__).parents[3] / "k8s-fixtures" / "mirror"
T = TypeVar("T")
BROKER, MIRROR, AGENT = "kafka", "kafka-mirror", "jmx-exporter"  # modules, each of which has an image
SECONDS = 120.0  # whatever else this machine does
# As in the images: small, and soon up.
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx192m")
_CONFIG = FIXTURE.parents[1] / "ci/src/sluice/supply/images/kafka/config"
_QUIET = _CONFIG / "tools-log4j2.yaml"
_BROKER = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},EXTERNAL://127.0.0.1:{external}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},EXTERNAL://localhost:{external}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,EXTERNAL:SSL
ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={home}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={home}/ca.crt
log.dirs={home}/{name}/data
num.partitions=3
offsets.topic.num.partitions=3
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
"""


def jars(module: str) -> list[Path]:
    """The locked jars of a module, out of mvn's store; what is missing there is fetched first."""
    store, locked = load_settings(Path.cwd()).cache / "maven" / module, maven._read_lock(module)
    paths = {name: _in_store(store, name) for name in locked}
    if not all(path.is_file() for path in paths.values()):
        work = store.with_name(f"{module}.test")
        try:
            anyio.run(maven._fetch, module, store, work, work / "log", print)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    for name, path in paths.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == locked[name], f"{name} is not what was locked"
    return list(paths.values())


def _events(said: str) -> list[str]:
    """The events among what a console consumer said, as `Partition:0:key:value`."""
    return [line for line in said.splitlines() if line.startswith("Partition:")]


def _in_store(store: Path, name: str) -> Path:
    group, artifact, version = name.split(":")
    return store.joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.jar")


@dataclass(frozen=True)
class Broker:
    """A broker that runs: where its own region reaches it, and where the other one does, by TLS."""

    plain: str
    external: str


@dataclass
class Rig:
    """What a test starts programs with, in one folder; `text` of mirror.properties may be changed by a test."""

    home: Path
    text: str = (FIXTURE / "mirror.properties").read_text(encoding="utf-8")
    agent: int = field(default_factory=lambda: free_ports(1)[0], init=False)  # where the agent listens

    @property
    def metrics(self) -> str:
        """Where a mirror tells its metrics while it runs."""
        return f"http://127.0.0.1:{self.agent}/metrics"

    def lay_out(self) -> None:
        """Write what images, Secret and ConfigMap would hold, and format a storage that each broker gets a copy of."""
        authority, certificate, key = certificates(("localhost", "127.0.0.1"), client=True)
        (self.home / "keystore.pem").write_bytes(key + certificate)
        (self.home / "ca.crt").write_bytes(authority)
        for module in (BROKER, MIRROR, AGENT):
            (self.home / module).mkdir()
            for jar in jars(module):
                (self.home / module / jar.name).symlink_to(jar)
        for name in ("jmx.yml", "lag.sh", "log4j2.yml", "source.properties"):
            (self.home / name).write_text(self._here((FIXTURE / name).read_text(encoding="utf-8")))
        for module in (BROKER, MIRROR):
            tool = self.home / f"run-class-of-{module}"
            tool.write_text(f'#!/bin/sh\nexec {shlex.join(self.java(module, _QUIET))} "$@"\n')
            tool.chmod(0o755)
        self.tell()
        self._format()

    def tell(self, old: str = "", new: str = "") -> None:
        """Write mirror.properties, with something in it changed."""
        assert old in self.text
        (self.home / "mirror.properties").write_text(self._here(self.text.replace(old, new) if old else self.text))

    def java(self, module: str, log4j: Path, *options: str) -> list[str]:
        """A JVM with the jars that an image has, and no others, in the words that the class stands after."""
        return ["java", *_JVM, *options, f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{self.home}/{module}/*"]

    @contextmanager
    def broker(self, name: str) -> Iterator[Broker]:
        """Run a broker with nothing in it."""
        plain, controller, external = free_ports(3)
        shutil.copytree(self.home / "formatted", self.home / name)
        file = self._server(name, plain, controller, external)
        log = self.home / f"{name}.log"
        argv = [*self.java(BROKER, _CONFIG / "log4j2.yaml"), "kafka.Kafka", str(file)]
        with running(argv, ready=lambda: "Kafka Server started" in log.read_text(errors="replace"), log=log):
            yield Broker(f"127.0.0.1:{plain}", f"localhost:{external}")

    def mirror(self, source: Broker, target: Broker) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run MirrorMaker with the fixture's settings, and with the agent that tells its metrics."""
        [jar] = (self.home / AGENT).iterdir()
        agent = f"-javaagent:{jar}={self.agent}:{self.home}/jmx.yml"
        argv = [
            "env", f"SOURCE_BROKER={source.external}", f"TARGET_BROKER={target.plain}",
            *self.java(MIRROR, self.home / "log4j2.yml", agent), "org.apache.kafka.connect.mirror.MirrorMaker",
            str(self.home / "mirror.properties"), "--clusters", "target",
        ]  # fmt: skip
        return running(argv, ready=lambda: True, log=self.home / "mirror.log")

    def tool(self, *words: str | Path, stdin: str = "") -> str:
        """Run one of Kafka's tools to its end and return what it printed."""
        done = subprocess.run(
            [self.home / f"run-class-of-{BROKER}", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def lag(self, source: str, target: str) -> dict[str, Any]:
        """What lag.sh tells; fails with its words where it does."""
        given: Mapping[str, str] = {
            "SOURCE_BROKER": source, "TARGET_BROKER": target,
            "KAFKA_RUN_CLASS": str(self.home / f"run-class-of-{MIRROR}"),
        }  # fmt: skip
        done = subprocess.run(
            ["sh", self.home / "lag.sh"], env=os.environ | given, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"lag.sh: {done.stdout}\n{done.stderr}"
        [line] = done.stdout.splitlines()
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def produce(self, broker: Broker, topic: str, events: Sequence[str]) -> None:
        """Have a broker take events: `key:value`."""
        self.tool(
            "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", broker.plain, "--topic", topic,
            "--property", "parse.key=true", "--property", "key.separator=:", stdin="\n".join(events) + "\n",
        )  # fmt: skip

    @contextmanager
    def reading(self, broker: Broker, topic: str) -> Iterator[Callable[[], list[str]]]:
        """Read a topic from its beginning, for as long as the block runs; yields what was read so far."""
        log = self.home / f"read-{topic}.log"
        argv = [*self.java(BROKER, _QUIET), *self.consumer(broker, topic, "--from-beginning")]
        with running(argv, ready=lambda: True, log=log):
            yield lambda: _events(log.read_text(errors="replace"))

    def consumer(self, broker: Broker, topic: str, *words: str) -> list[str]:
        """The words of a console consumer, which prints `Partition:0 key:value`."""
        return [
            "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", broker.plain, "--topic", topic,
            *("--property", "print.key=true", "--property", "key.separator=:", "--property", "print.partition=true"),
            *("--consumer-property", "metadata.max.age.ms=500"),
            *("--consumer-property", "allow.auto.create.topics=false"), *words,
        ]  # fmt: skip

    def _format(self) -> None:
        file = self._server("formatted", 1, 2, 3)
        self.tool("kafka.tools.StorageTool", "format", "--cluster-id", "q1Sh-9_ISia_zwGINzRvyQ", "--config", file)

    def _server(self, name: str, plain: int, controller: int, external: int) -> Path:
        file = self.home / name / "server.properties"
        file.parent.mkdir(exist_ok=True)
        ports = {"plain": plain, "controller": controller, "external": external}
        file.write_text(_BROKER.format(home=self.home, name=name, **ports))
        return file

    def _here(self, text: str) -> str:
        return text.replace("/etc/secrets/region", str(self.home))


def until(ask: Callable[[], T], holds: Callable[[T], bool], *, within: float = SECONDS, log: Path) -> T:
    """Return the first answer that holds; fails at the deadline with the last one and the log's end."""
    deadline = time.monotonic() + within
    while not holds(last := ask()):
        assert time.monotonic() < deadline, f"{last}\n{log.read_text(errors='replace')[-3000:]}"
        time.sleep(0.2)
    return last
