"""The run's steps as bars over time, in SVG, laid out like plots.py: percent along the time, pixels down."""

import math
from collections.abc import Sequence
from html import escape

from sluice.domain import StepTiming
from sluice.report import scales, words

_ROW = 34
_AXIS = 22


def timeline(steps: Sequence[StepTiming], *, origin: float, ended: float) -> str:
    """Draw each step from its start to its end, in the order of their starts; an empty text for no steps.

    The axis counts seconds from `origin`, the run's start; a step that began earlier widens it.
    """
    timed = [step for step in steps if math.isfinite(step.started) and math.isfinite(step.seconds)]
    if not timed:
        return ""
    timed.sort(key=lambda step: (step.started, step.name))
    start = min(origin, *(step.started for step in timed))
    end = max(ended if math.isfinite(ended) else origin, *(step.started + step.seconds for step in timed))
    span = max(end - start, 0.001)
    height = _AXIS + _ROW * len(timed)
    parts = []
    for at in scales.time_ticks(start - origin, end - origin):
        x = 100 * (at + origin - start) / span
        anchor = "start" if x < 3 else "end" if x > 97 else "middle"
        parts.append(f'<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{_AXIS - 4}" y2="{height}"/>')
        parts.append(f'<text class="tick" x="{x:.2f}%" y="12" text-anchor="{anchor}">{words.clock(at)}</text>')
    for row, step in enumerate(timed):
        parts.append(_bar(step, _AXIS + row * _ROW, 100 * (step.started - start) / span, 100 * step.seconds / span))
    longest = max(timed, key=lambda step: step.seconds)
    described = (
        f"{len(timed)} steps in {words.duration(end - start)}; the longest is {longest.name} with "
        f"{words.duration(longest.seconds)}. The table below has every step."
    )
    return (
        f'<svg class="timeline" width="100%" height="{height}" role="img" '
        f'aria-labelledby="timeline-t timeline-d">'
        f'<title id="timeline-t">Steps of the run over time</title>'
        f'<desc id="timeline-d">{escape(described)}</desc>{"".join(parts)}</svg>'
    )


def _bar(step: StepTiming, top: int, left: float, width: float) -> str:
    took = words.duration(step.seconds) + ("" if step.outcome == "done" else f", {step.outcome}")
    return (
        f'<text class="step" x="0" y="{top + 15}">{escape(step.name)}</text>'
        f'<text class="took {step.outcome}" x="100%" y="{top + 15}" text-anchor="end">{escape(took)}</text>'
        f'<line class="track" x1="0" x2="100%" y1="{top + 24}" y2="{top + 24}"/>'
        f'<rect class="bar {step.outcome}" x="{left:.2f}%" width="{max(width, 0.3):.2f}%" '
        f'y="{top + 20}" height="8">'
        f"<title>{escape(step.name)}: {took}</title></rect>"
    )
