"""The pages of what people write for the gate and for promotions: the policy's keys, and the targets'."""

from sluice.budgets.stages import Stage
from sluice.policy.model import QUERIES, Baselines, Objective, Policy, Trust
from sluice.promotion.model import Canary, ClusterAccess, Freeze, Registry, Required, Storage, Target, Window
from sluice.promotion.signing import Identity
from sluice.promotion.targets import MAY_HAVE_OF_STORAGE, OF_STORAGE
from sluice.reference.fields import keys, keys_table
from sluice.reference.markdown import code, page, section, table

_OF_TARGET = {
    "[registry]": Registry,
    "[cluster]": ClusterAccess,
    "[identity]": Identity,
    "[[window]]": Window,
    "[[freeze]]": Freeze,
    "[canary]": Canary,
    "[readiness]": Required,
}


def policy_page() -> str:
    """Return the page of release/policy.toml."""
    queries = [(code(kind), ", ".join(code(query) for query in of_kind)) for kind, of_kind in QUERIES.items()]
    return page(
        "The policy",
        "ci/src/sluice/policy/model.py",
        "The keys of `release/policy.toml`. How the gate judges by them: [release/README.md](../../release/README.md).",
        keys_table(Policy),
        section("[[objective]]", _told(Objective), keys_table(Objective)),
        section("Queries of kinds that have no query language", table(("kind", "query"), queries)),
        section("[baselines]", _told(Baselines), keys_table(Baselines)),
        section("[prometheus]", _told(Trust), keys_table(Trust)),
        section("[[stage]] of release/error-budget.toml", _told(Stage), keys_table(Stage)),
    )


def targets_page() -> str:
    """Return the page of targets/*.toml."""
    return page(
        "Targets",
        "ci/src/sluice/promotion/model.py",
        "The keys of `targets/<name>.toml`. How targets are used: [targets/README.md](../../targets/README.md).",
        keys_table(Target),
        *(section(name, _told(kind), keys_table(kind)) for name, kind in _OF_TARGET.items()),
        section("[storage]", _told(Storage), _storage()),
    )


def _storage() -> str:
    """What each cloud needs, and may have."""
    rows = [(code(key.name), key.meaning, *(_need(cloud, key.name) for cloud in OF_STORAGE)) for key in keys(Storage)]
    return table(("key", "meaning", *(cloud.upper() for cloud in OF_STORAGE)), rows)


def _need(cloud: str, key: str) -> str:
    if key in ("bucket", *OF_STORAGE[cloud]):
        return "needed"
    either = next((one for one in OF_STORAGE[cloud] if isinstance(one, tuple) and key in one), None)
    if either:
        return "one of " + ", ".join(code(one) for one in either)
    return "may be" if key in MAY_HAVE_OF_STORAGE.get(cloud, ()) else ""


def _told(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())
