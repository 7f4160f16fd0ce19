"""How often the gate's comparison with passed releases errs: made-up releases whose truth is known.

A release's value is drawn log-normal around 1 with a given spread; the one judged has its value times a change.
Counted is how often `<= +50 %` calls it worse, by the bootstrap interval / by a bare percentage of the mean, and how
often the interval holds one more release of the same kind (nominally 90 %). No cluster is needed; 20 s on one core.
"""

import argparse
import math
import random

from sluice.gate.comparison import prediction_interval

_CHANGES = (1.0, 1.5, 2.0, 3.0)


def main() -> None:
    """Print a line a number of releases and spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=300, help="releases judged a line (default 300)")
    parser.add_argument("--percent", type=float, default=50.0, help="the criterion's change (default +50 %%)")
    asked = parser.parse_args()
    print("| releases | spread | interval holds | " + " | ".join(f"×{change:g}" for change in _CHANGES) + " |")
    print("| --- " * (3 + len(_CHANGES)) + "|")
    for releases in (3, 5, 10):
        for spread in (0.1, 0.3):
            print(line(releases, spread, 1 + asked.percent / 100, asked.draws))


def line(releases: int, spread: float, factor: float, draws: int) -> str:
    """One line of the table: of each change how often it is called worse, by interval / by bare percentage."""
    numbers = random.Random(releases * 100 + int(spread * 10))
    sigma = math.sqrt(math.log(1 + spread**2))
    held, called = 0, [[0, 0] for _ in _CHANGES]
    for _ in range(draws):
        values = [math.exp(numbers.gauss(-(sigma**2) / 2, sigma)) for _ in range(releases)]
        low, high = prediction_interval(values)
        mean, new = math.fsum(values) / releases, math.exp(numbers.gauss(-(sigma**2) / 2, sigma))
        held += low <= new <= high
        for change, counts in zip(_CHANGES, called, strict=True):
            counts[0] += new * change > high * factor
            counts[1] += new * change > mean * factor
    shown = " | ".join(f"{100 * one / draws:.0f} / {100 * other / draws:.0f} %" for one, other in called)
    return f"| {releases} | {100 * spread:.0f} % | {100 * held / draws:.0f} % | {shown} |"


if __name__ == "__main__":
    main()
