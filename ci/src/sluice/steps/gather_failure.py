"""After a failure: write down what somebody who was not there needs. Never raises, never takes long."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import anyio

from sluice.errors import SluiceError
from sluice.masking import masker
from sluice.ports import ClusterEvent, ContainerState, LogTail, PodState, Rollout, Workloads

FOLDER = "failure"
_TAIL_LINES = 5_000
_LOG_BYTES = 512 * 1024
_AT_ONCE = 6
_FINISHED = ("Succeeded", "Completed")


async def gather_failure(
    workloads: Workloads,
    evidence_dir: Path,
    *,
    secrets: Sequence[str] = (),
    deadline_seconds: float = 60,
    max_bytes: int = 20 * 1024 * 1024,
) -> tuple[str, ...]:
    """Write pod states, events and all containers' logs into `evidence_dir/failure`; return the files' names.

    summary.txt says what is not ready and why, pods.txt and events.txt tell all, logs/<namespace>/<pod>/ has
    one file a container, its previous instance included; pods that are not ready come first, for at most
    `max_bytes` of logs are kept. What was left out is in cut.txt. `secrets`, and what looks so, are masked.
    Goes on under cancellation (Ctrl-C) until its own deadline.
    """
    bundle = _Bundle(evidence_dir, masker(secrets), max_bytes)
    with anyio.move_on_after(deadline_seconds, shield=True) as scope:
        try:
            await _gather(workloads, bundle)
        except Exception as error:  # noqa: BLE001 - gathering must not hide the failure that it tells of
            bundle.cut.append(f"gathering stopped: {_cause(error)}")
    if scope.cancelled_caught:
        bundle.cut.append(f"the deadline of {deadline_seconds:g} s passed: not read: {', '.join(bundle.open)}")
    if bundle.cut:
        bundle.write("cut.txt", "\n".join(bundle.cut) + "\n")
    return tuple(bundle.files)


class _Bundle:
    """The folder that is written, what is still open, and what was left out."""

    def __init__(self, evidence_dir: Path, mask: Callable[[str], str], max_bytes: int) -> None:
        self._root = evidence_dir
        self._mask = mask
        self.room = max_bytes
        self.files: list[str] = []
        self.cut: list[str] = []
        self.open: list[str] = ["pod states"]

    def write(self, name: str, text: str) -> None:
        """Write a file, masked; a disk that is full is noted and no more."""
        path = self._root / FOLDER / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._mask(text), encoding="utf-8", errors="replace")
        except OSError as error:
            self.cut.append(f"{FOLDER}/{name}: not written: {error.strerror}")
        else:
            self.files.append(f"{FOLDER}/{name}")


async def _gather(workloads: Workloads, bundle: _Bundle) -> None:
    pods: tuple[PodState, ...] = ()
    events: tuple[ClusterEvent, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    # One that fails must not take the others with it.
    try:
        pods = await workloads.pods()
    except SluiceError as error:
        bundle.cut.append(f"pods: {_cause(error)}")
    else:
        bundle.write("pods.txt", "".join(_pod_text(pod) for pod in pods) or "no pod\n")
    bundle.open = ["events"]
    try:
        events = await workloads.events()
    except SluiceError as error:
        bundle.cut.append(f"events: {_cause(error)}")
    else:
        bundle.write("events.txt", "".join(_event_line(event) for event in events) or "no event\n")
    bundle.open = ["rollouts"]
    try:
        rollouts = await workloads.rollouts()
    except SluiceError as error:
        bundle.cut.append(f"rollouts: {_cause(error)}")
    bundle.write("summary.txt", _summary(pods, events, rollouts))
    await _logs(workloads, bundle, pods)


async def _logs(workloads: Workloads, bundle: _Bundle, pods: Sequence[PodState]) -> None:
    wanted = [
        (pod, container, previous)
        for pod in sorted(pods, key=_well)
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
            bundle.room -= size  # taken first, given back below: others read at the same time
            tail = LogTail("")
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
                bundle.cut.append(f"{name}: {_cause(error)}")
            else:
                _write_log(bundle, name, tail)
            bundle.room += size - min(size, len(tail.text.encode(errors="replace")))
            bundle.open.remove(name)

    async with anyio.create_task_group() as group:
        for item in wanted:
            group.start_soon(fetch, item)


def _write_log(bundle: _Bundle, name: str, tail: LogTail) -> None:
    text = tail.text
    if tail.cut_bytes:
        text = text.partition("\n")[2] or text  # the first line is a part of one
        bundle.cut.append(f"{name}: the first {tail.cut_bytes} bytes of the last {_TAIL_LINES} lines")
    elif text.count("\n") >= _TAIL_LINES:
        bundle.cut.append(f"{name}: all before the last {_TAIL_LINES} lines")
    bundle.write(name, text)


def _log_name(pod: PodState, container: ContainerState, previous: bool) -> str:
    parts = (pod.namespace, pod.name, container.name + (".previous" if previous else "") + ".log")
    # Kubernetes' names are safe for files; this is for what is not Kubernetes.
    return "/".join(("logs", *(re.sub(r"[^\w.-]", "_", part) for part in parts)))


def _well(pod: PodState) -> bool:
    return (pod.ready or pod.phase in _FINISHED) and not any(container.restarts for container in pod.containers)


def _summary(pods: Sequence[PodState], events: Sequence[ClusterEvent], rollouts: Sequence[Rollout]) -> str:
    """What is wrong, in the order one would look: workloads, pods with their events, other warnings."""
    unfinished = [rollout for rollout in rollouts if not rollout.done]
    unwell = [pod for pod in pods if not _well(pod)]
    lines = [
        f"{len(pods)} pods, {len(unwell)} not ready or restarted; {len(unfinished)} workloads not done",
        "",
    ]
    lines += [f"{item.namespace}/{item.kind}/{item.name}: {item.detail}" for item in unfinished]
    told: set[ClusterEvent] = set()
    for pod in unwell:
        about = [event for event in events if (event.namespace, event.name) == (pod.namespace, pod.name)]
        told.update(about)
        lines += ["", _pod_text(pod).rstrip(), *(f"  event {_event_line(event).rstrip()}" for event in about)]
    warnings = [event for event in events if event.warning and event not in told]
    if warnings:
        lines += ["", "Other warnings:", *(_event_line(event).rstrip() for event in warnings)]
    return "\n".join(lines) + "\n"


def _pod_text(pod: PodState) -> str:
    ready = "ready" if pod.ready else "not ready"
    lines = [f"{pod.namespace}/{pod.name}: {pod.phase}, {ready}, on {pod.node or 'no node'}"]
    lines += [f"  {pod.message}"] if pod.message else []
    for container in pod.containers:
        words = [f"  {'init ' if container.init else ''}container {container.name}: {container.state}"]
        words += [container.reason] if container.reason else []
        words += [f"exit code {container.exit_code}"] if container.exit_code is not None else []
        words += [container.message] if container.message else []
        words += [] if container.ready else ["not ready"]
        words += [f"{container.restarts} restarts"] if container.restarts else []
        words += [f"before: {container.last_exit}"] if container.last_exit else []
        lines.append(", ".join(words))
    return "\n".join(lines) + "\n"


def _event_line(event: ClusterEvent) -> str:
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="seconds")
    times = f" ({event.count} times)" if event.count > 1 else ""
    kind = "Warning" if event.warning else "Normal"
    return f"{at} {kind} {event.namespace}/{event.kind}/{event.name} {event.reason}: {event.message}{times}\n"


def _cause(error: Exception) -> str:
    text = f"{error.failed}: {error.seen}" if isinstance(error, SluiceError) else f"{type(error).__name__}: {error}"
    with suppress(IndexError):
        text = text.splitlines()[0]
    return text
