"""The mirror of events between two regions: what both show each other, and how far it is (k8s-fixtures/mirror)."""

from itertools import count

import anyio

from sluice.certificates import certificates
from sluice.errors import ClusterError, FailoverError, NotReady, RecoveryError, in_a_line
from sluice.regions.mirror import Lag, parse
from sluice.regions.model import BROKER_PORT, REGIONS, node_of, other
from sluice.steps.install_region import Secrets, give_secret
from sluice.steps.keep_backups import JobRunner

KEYS = "kafka-region"
_LAG = "mirror-lag"
_JOB_SECONDS = 90.0  # four JVMs on a busy machine
_PAUSE_SECONDS = 1.0


async def region_keys(active: Secrets, standby: Secrets | None, cluster: str, namespace: str, region: str) -> None:
    """Make the Secret `kafka-region` in the active region `region`, and give it to the other one, if that is there.

    Both have one certificate and its authority, made once: with it the brokers and the mirrors know each other, by the
    names of their nodes. `source` is where the other region's broker is reached, whichever way it is mirrored.
    `cluster` is the name in the settings. Raises FailoverError where the other region has keys of its own.
    """
    nodes = tuple(node_of(cluster, one) for one in REGIONS)
    kept = await active.read_secret(KEYS, namespace)
    if not kept:
        authority, certificate, key = certificates(nodes, client=True)
        # A PEM key store of Kafka's is the key, and behind it the chain (kafka.apache.org, KIP-651).
        kept = {"keystore.pem": (key + certificate).decode(), "ca.crt": authority.decode()}
        await active.ensure_secret(KEYS, namespace, kept | {"source": _broker(cluster, other(region))})
    if standby is None:
        return
    wanted = kept | {"source": _broker(cluster, region)}
    await give_secret(standby, KEYS, wanted, namespace, other(region))


async def mirror_lag(jobs: JobRunner, namespace: str, name: str) -> Lag:
    """Ask both brokers, from the region that stands by, what is not copied yet. `name` ends the Job's name.

    Raises RecoveryError where one of them does not answer, NotReady where the Job has no end, FailoverError where they
    tell what cannot be.
    """
    job = f"{_LAG}-{name}"
    await jobs.start_from(namespace, _LAG, job)
    return parse(await jobs.ended(namespace, job, deadline_seconds=_JOB_SECONDS))


async def all_copied(jobs: JobRunner, namespace: str, name: str, *, deadline_seconds: float) -> None:
    """Wait until the mirror has copied everything, which it does once nobody writes to the source any more.

    Raises NotReady at the deadline with what is missing, by count and partition, or why that is not known.
    """
    last = "no answer of the brokers"
    with anyio.move_on_after(deadline_seconds):
        for turn in count(1):
            try:
                lag = await mirror_lag(jobs, namespace, f"{name}-{turn}")
            except (RecoveryError, ClusterError, FailoverError, NotReady) as error:
                last = in_a_line(error)
            else:
                if not lag.behind:  # what is gone never comes
                    return
                last = str(lag)
            await anyio.sleep(_PAUSE_SECONDS)
    raise NotReady(
        f"the mirror has not copied everything within {deadline_seconds:.0f} s",
        seen=last,
        expected="all events of the region that is left",
        next_command=f"kubectl --namespace {namespace} logs deployment/mirror, in the region that stands by",
    )


def _broker(cluster: str, region: str) -> str:
    return f"{node_of(cluster, region)}:{BROKER_PORT}"
