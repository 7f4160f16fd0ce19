"""After a failure: write down what somebody who was not there needs. Never raises, never takes long."""

import re
from collections.abc import Sequence
from pathlib import Path

import anyio

from sluice.errors import SluiceError
from sluice.masking import masker
from sluice.ports import ClusterEvent, ContainerState, LogTail, PodState, Rollout, Workloads
from sluice.steps.bundle import FOLDER, Bundle, cause
from sluice.steps.cluster_text import event_line, pod_text, well

_TAIL_LINES = 5_000
_LOG_BYTES = 512 * 1024
_AT_ONCE = 6


async def gather_failure(
    workloads: Workloads,
    evidence_dir: Path,
    *,
    cut: list[str],
    secrets: Sequence[str] = (),
    deadline_seconds: float = 60,
    max_bytes: int = 20 * 1024 * 1024,
) -> tuple[str, ...]:
    """Write pod states, events and all containers' logs into `evidence_dir/failure`; return the files' names.

    summary.txt says what is not ready and why, pods.txt and events.txt tell all, logs/<namespace>/<pod>/ has
    one file a container, its previous instance included; pods that are not ready come first, for at most
    `max_bytes` are kept. What was left out is added to `cut`. `secrets`, and what looks so, are masked.
    Goes on under cancellation (Ctrl-C) until its own deadline.
    """
    bundle = Bundle(evidence_dir, masker(secrets), max_bytes, cut)
    with anyio.move_on_after(deadline_seconds, shield=True) as scope:
        try:
            await _gather(workloads, bundle)
        except Exception as error:  # noqa: BLE001 - gathering must not hide the failure that it tells of
            bundle.cut.append(f"gathering stopped: {cause(error)}")
    if scope.cancelled_caught:
        bundle.cut.append(f"the deadline of {deadline_seconds:g} s passed: not read: {', '.join(bundle.open)}")
    return tuple(bundle.files)


async def _gather(workloads: Workloads, bundle: Bundle) -> None:
    pods: tuple[PodState, ...] = ()
    events: tuple[ClusterEvent, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    # One that fails must not take the others with it.
    try:
        pods = await workloads.pods()
    except SluiceError as error:
        bundle.cut.append(f"pods: {cause(error)}")
    else:
        bundle.write(f"{FOLDER}/pods.txt", "".join(pod_text(pod) for pod in pods) or "no pod\n")
    bundle.open = ["events"]
    try:
        events = await workloads.events()
    except SluiceError as error:
        bundle.cut.append(f"events: {cause(error)}")
    else:
        bundle.write(f"{FOLDER}/events.txt", "".join(event_line(event) for event in events) or "no event\n")
    bundle.open = ["rollouts"]
    try:
        rollouts = await workloads.rollouts()
    except SluiceError as error:
        bundle.cut.append(f"rollouts: {cause(error)}")
    bundle.write(f"{FOLDER}/summary.txt", _summary(pods, events, rollouts))
    await _logs(workloads, bundle, pods)


async def _logs(workloads: Workloads, bundle: Bundle, pods: Sequence[PodState]) -> None:
    wanted = [
        (pod, container, previous)
        for pod in sorted(pods, key=well)
        for container in pod.containers
        for previous in (False, True)
        if (container.restarts or container.last_exit if previous else container.state in ("running", "terminated"))
    ]
    names = {id(item): _log_name(*item) for item in wanted}
    bundle.open = [names[id(item)] for item in wanted]
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def fetch(item: tuple[PodState, ContainerState, bool]) -> None:
        pod, container, previous = item
        name = names[id(item)]
        async with limit:
            if bundle.room <= 0:
                bundle.cut.append(f"{name}: left out, the bundle is full")
                bundle.open.remove(name)
                return
            size = min(_LOG_BYTES, bundle.room)
            bundle.room -= size  # taken until it is known what is needed: others read at the same time
            try:
                tail = await workloads.logs(
                    pod.namespace,
                    pod.name,
                    container.name,
                    previous=previous,
                    tail_lines=_TAIL_LINES,
                    max_bytes=size,
                )
            except SluiceError as error:
                bundle.room += size
                bundle.cut.append(f"{name}: {cause(error)}")
            else:
                bundle.room += size
                _write_log(bundle, name, tail)
            bundle.open.remove(name)

    async with anyio.create_task_group() as group:
        for item in wanted:
            group.start_soon(fetch, item)


def _write_log(bundle: Bundle, name: str, tail: LogTail) -> None:
    text = tail.text
    if tail.cut_bytes:
        text = text.partition("\n")[2] or text  # the first line is a part of one
        bundle.cut.append(f"{name}: the first {tail.cut_bytes} bytes of the last {_TAIL_LINES} lines")
    elif text.count("\n") >= _TAIL_LINES:
        bundle.cut.append(f"{name}: all before the last {_TAIL_LINES} lines")
    bundle.write(name, text, keep_end=True)


def _log_name(pod: PodState, container: ContainerState, previous: bool) -> str:
    parts = (pod.namespace, pod.name, container.name + (".previous" if previous else "") + ".log")
    # Kubernetes' names are safe for files; this is for what is not Kubernetes.
    return "/".join((FOLDER, "logs", *(re.sub(r"[^\w.-]", "_", part) for part in parts)))


def _summary(pods: Sequence[PodState], events: Sequence[ClusterEvent], rollouts: Sequence[Rollout]) -> str:
    """What is wrong, in the order one would look: workloads, pods with their events, other warnings."""
    unfinished = [rollout for rollout in rollouts if not rollout.done]
    unwell = [pod for pod in pods if not well(pod)]
    lines = [
        f"{len(pods)} pods, {len(unwell)} not ready or restarted; {len(unfinished)} workloads not done",
        "",
    ]
    lines += [f"{item.namespace}/{item.kind}/{item.name}: {item.detail}" for item in unfinished]
    told: set[ClusterEvent] = set()
    for pod in unwell:
        about = [event for event in events if (event.namespace, event.name) == (pod.namespace, pod.name)]
        told.update(about)
        lines += ["", pod_text(pod).rstrip(), *(f"  event {event_line(event).rstrip()}" for event in about)]
    warnings = [event for event in events if event.warning and event not in told]
    if warnings:
        lines += ["", "Other warnings:", *(event_line(event).rstrip() for event in warnings)]
    return "\n".join(lines) + "\n"
