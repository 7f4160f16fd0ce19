"""The gate's files of a project, cut from Sluice's own: what it has nothing for is left out."""

import re
from pathlib import Path

# In the order in which they are best run; each is a folder of tests/e2e that a project has.
SUITES = ("logs", "services", "metrics", "api")
# Objectives of events, which a service without any cannot meet.
WITHOUT = ("event-delay", "outbox-empty")
# Of one pod there is one of each, and not one of each of five services.
FEWER = {"restarts": 1, "memory": 1, "series": 1}
LISTS = ("approvals.toml", "overrides.toml", "quarantine.toml")
WHOLE = ("error-budget.toml",)  # the owner's too, and good for a start as it is
_NAMED = re.compile(r'^name = "([^"]+)"', re.MULTILINE)


def write_release(root: Path, into: Path) -> None:
    """Write release/policy.toml, the error budget's, and the lists beside them, which begin empty."""
    folder = into / "release"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.toml").write_text(
        cut((root / "release" / "policy.toml").read_text(encoding="utf-8")), encoding="utf-8"
    )
    for name in WHOLE:
        (folder / name).write_bytes((root / "release" / name).read_bytes())
    for name in LISTS:
        (folder / name).write_text(emptied((root / "release" / name).read_text(encoding="utf-8")), encoding="utf-8")


def cut(policy: str) -> str:
    """Return a policy for a service without events: paragraph by paragraph, each objective being one."""
    kept = []
    for paragraph in re.split(r"\n{2,}", policy.strip("\n")):
        objective = _NAMED.search(paragraph)
        name = objective[1] if objective and "[[objective]]" in paragraph else ""
        if name in WITHOUT:
            continue
        if name in FEWER:
            paragraph = re.sub(r"(?m)^min_samples = \d+", f"min_samples = {FEWER[name]}", paragraph)
        elif "required_suites" in paragraph:
            # The comment above it tells of suites that a project has not.
            paragraph = re.sub(
                r"(?m)^(?:#.*\n)+(?=required_suites)", "# What a run without --suite runs, in this order.\n", paragraph
            )
            suites = ", ".join(f'"{suite}"' for suite in SUITES)
            paragraph = re.sub(r"(?m)^required_suites = \[[^\]]*\]", f"required_suites = [{suites}]", paragraph)
        kept.append(paragraph)
    return "\n\n".join(kept) + "\n"


def emptied(text: str) -> str:
    """Return a list without its entries: what stands above the first of them."""
    return text.partition("\n[[")[0].rstrip("\n") + "\n"
