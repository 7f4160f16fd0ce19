"""Write times.json anew, by which shards are balanced: `python -m tests.e2e.renew_times RUN`, after a whole run."""

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from sluice.domain import Evidence, TestResult, load
from sluice.steps.suite_plan import TIMES, file_of


def times_of(tests: Sequence[TestResult]) -> dict[str, int]:
    """Whole seconds by file, at least one."""
    seconds: dict[str, float] = defaultdict(float)
    for test in tests:
        seconds[file_of(test.id)] += test.seconds
    return {file: max(1, round(seconds[file])) for file in sorted(seconds)}


if __name__ == "__main__":
    found = times_of(load(Evidence, Path(sys.argv[1]) / "evidence.json").tests)
    Path(__file__).with_name(TIMES).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
