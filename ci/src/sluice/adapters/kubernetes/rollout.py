"""Waiting until workloads are up; at the deadline it tells which pod is not, why, and what it said last."""

from collections.abc import Awaitable, Callable, Sequence

import anyio

from sluice.errors import ClusterError, NotReady
from sluice.ports import ClusterEvent, ContainerState, PodState, Rollout, Workloads

_LOG_LINES = 12
_LOG_BYTES = 4_000
_BLAME_SECONDS = 15.0


async def wait_rolled_out(
    workloads: Workloads,
    namespaces: Sequence[str],
    *,
    deadline_seconds: float,
    selector: str = "",
    expect: Sequence[str] = (),
    poll_seconds: float = 1.0,
    on_change: Callable[[str], None] | None = None,
    help_along: Callable[[Rollout], Awaitable[None]] | None = None,
) -> None:
    """Return once every Deployment, StatefulSet and DaemonSet of the namespaces is rolled out, and every Job done.

    `selector` narrows them by label. `expect` names workloads, as `namespace/Kind/name`, that must be there:
    what an operator makes may not exist yet. A namespace without any workload is not ready. `on_change` is
    told each change of what is waited for; `help_along` gets, at each look, every workload that is not done, and may
    raise ClusterError. Raises NotReady at the deadline, also when there was no answer.
    """
    last: str | None = None
    waiting: list[Rollout | str] = []
    refusal: ClusterError | None = None
    with anyio.move_on_after(deadline_seconds):
        while True:
            try:
                waiting, refusal = await _waiting(workloads, namespaces, selector, expect), None
                if help_along:
                    for rollout in [item for item in waiting if isinstance(item, Rollout)]:
                        await help_along(rollout)
            except ClusterError as error:
                refusal = error  # the API server of a young cluster comes and goes
            else:
                if not waiting:
                    return
            now = str(refusal.seen) if refusal else "; ".join(_line(item) for item in waiting)
            if on_change and now != last:
                on_change(now)
            last = now
            await anyio.sleep(poll_seconds)
    if refusal or last is None:
        raise NotReady(
            f"the workloads of {', '.join(namespaces)} could not be read within {deadline_seconds:.0f} s",
            seen=str(refusal.seen) if refusal else "no answer",
            expected="an answer of the API server",
            next_command="kubectl get --raw /readyz",
        )
    raise await _blame(workloads, waiting, deadline_seconds)


async def _waiting(
    workloads: Workloads, namespaces: Sequence[str], selector: str, expect: Sequence[str]
) -> list[Rollout | str]:
    waiting: list[Rollout | str] = []
    names: set[str] = set()
    for namespace in namespaces:
        found = await workloads.rollouts(namespace, selector=selector)
        names |= {f"{rollout.namespace}/{rollout.kind}/{rollout.name}" for rollout in found}
        if not found:
            waiting.append(f"{namespace} has no workload" + (f" with {selector}" if selector else ""))
        waiting += [rollout for rollout in found if not rollout.done]
    return waiting + [f"{name} does not exist yet" for name in expect if name not in names]


def _line(item: Rollout | str) -> str:
    return item if isinstance(item, str) else f"{item.namespace}/{item.kind}/{item.name}: {item.detail}"


async def _blame(workloads: Workloads, waiting: Sequence[Rollout | str], deadline_seconds: float) -> NotReady:
    """Find the pod that stands in the way, why, and its last words; best effort, with its own deadline."""
    rollouts = [item for item in waiting if isinstance(item, Rollout)]
    seen = [_line(item) for item in waiting]
    next_command = "kubectl get pods -A"
    if rollouts:
        first = rollouts[0]
        next_command = f"kubectl -n {first.namespace} describe {first.kind.lower()} {first.name}"
        with anyio.move_on_after(_BLAME_SECONDS):
            try:
                for rollout in rollouts[:3]:
                    pods = [pod for pod in await _pods(workloads, rollout) if not pod.ready]
                    events = await workloads.events(rollout.namespace)
                    if not pods:
                        seen += _last_event(events, rollout.name, prefix=True)
                    for pod in pods[:2]:
                        seen += await pod_blame(workloads, pod, events)
                        next_command = f"kubectl -n {pod.namespace} describe pod {pod.name}"
            except ClusterError as error:
                seen.append(f"more could not be read: {error.seen}")
    return NotReady(
        f"{len(waiting)} of the workloads not ready within {deadline_seconds:.0f} s",
        seen="\n            ".join(seen),
        expected="every pod ready",
        next_command=next_command,
    )


async def _pods(workloads: Workloads, rollout: Rollout) -> tuple[PodState, ...]:
    return await workloads.pods(rollout.namespace, selector=rollout.selector)


async def pod_blame(workloads: Workloads, pod: PodState, events: Sequence[ClusterEvent]) -> list[str]:
    """Lines on why a pod is not ready: its container, the last event, its last words. Raises ClusterError."""
    container = culprit(pod)
    lines = [f"pod {pod.namespace}/{pod.name} is {pod.phase}" + (f": {pod.message}" if pod.message else "")]
    if container:
        lines.append(describe(container))
    lines += _last_event(events, pod.name) or _claim_event(events, pod)
    if container:
        lines += await _last_words(workloads, pod, container)
    return lines


def culprit(pod: PodState) -> ContainerState | None:
    """The container that keeps a pod from being ready: an init container not done, else one not ready."""
    for container in pod.containers:
        finished = container.init and container.state == "terminated" and container.exit_code == 0
        if not container.ready and not finished:
            return container
    return None


def describe(container: ContainerState) -> str:
    """One line on why a container is not ready."""
    parts = [f"container {container.name} is {container.state}"]
    parts += [f"{container.reason}: {container.message}".strip(": ")] if container.reason or container.message else []
    parts += [f"exit code {container.exit_code}"] if container.exit_code is not None else []
    parts += [f"restarted {container.restarts} times, last: {container.last_exit}"] if container.restarts else []
    if container.state == "running" and not container.ready:
        parts.append("it runs, its readiness or startup probe does not pass")
    return ", ".join(parts)


def _claim_event(events: Sequence[ClusterEvent], pod: PodState) -> list[str]:
    """Why a pod of a StatefulSet waits for its volume: the claim (<template>-<pod>) has the events, the pod none."""
    claims = [
        event
        for event in events
        if event.kind == "PersistentVolumeClaim"
        and event.namespace == pod.namespace
        and event.name.endswith(f"-{pod.name}")
    ]
    return _last_event(claims, claims[-1].name) if claims else []


def _last_event(events: Sequence[ClusterEvent], name: str, *, prefix: bool = False) -> list[str]:
    about = [event for event in events if event.name == name or (prefix and event.name.startswith(name + "-"))]
    chosen = [event for event in about if event.warning] or about
    return [f"last event: {chosen[-1].reason}: {chosen[-1].message}"] if chosen else []


async def _last_words(workloads: Workloads, pod: PodState, container: ContainerState) -> list[str]:
    # A container that waits to be started again said its last words in the instance before.
    order = (True, False) if container.state == "waiting" and container.restarts else (False, True)
    for previous in order:
        try:
            tail = await workloads.logs(
                pod.namespace,
                pod.name,
                container.name,
                previous=previous,
                tail_lines=_LOG_LINES,
                max_bytes=_LOG_BYTES,
            )
        except ClusterError:
            continue  # it never started, or had no instance before
        if tail.text.strip():
            return [f"last lines of {container.name}:", *(f"| {line}" for line in tail.text.splitlines())]
    return []
