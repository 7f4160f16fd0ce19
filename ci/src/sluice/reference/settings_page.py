"""The page of settings: sluice.toml, its variables, and the other variables that Sluice reads."""

from collections.abc import Mapping

from sluice.reference.fields import keys
from sluice.reference.markdown import code, page, section, table
from sluice.settings import Settings

# Variables that are no settings and that a person may want to set; a test holds the list to what the code reads.
OTHERS: Mapping[str, str] = {
    "SLUICE_WHO": "who promotes, as the ledger tells it; without it the user and the host",
    "COSIGN_PASSWORD": "the password of the signing key, where `[release] password_file` names no file",
    "DOCKER_CONFIG": "folder of Docker's configuration, for a registry whose target names no `credentials`",
    "KUBECONFIG": "kubeconfig files, for a target that names none",
    "_EXPERIMENTAL_DAGGER_RUNNER_HOST": "a Dagger engine that runs already; `auto` then takes the runtime `dagger`",
    "SLUICE_DAGGER_RELEASES": "where `./dagger` fetches Dagger's command line from, such as a mirror",
    "PYTHON": "the Python 3.11 that `./nox` makes its environment of",
    "NO_COLOR": "any value: no colours",
    "CI": "any value: lines in place of bars on a terminal too",
    "COLUMNS": "how wide tables are where the output is no terminal; without it 160",
    "XDG_CACHE_HOME": "its folder `sluice` is the cache, where `[run] cache` names none",
}


def settings_page() -> str:
    """Return the page."""
    parts = []
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        assert isinstance(kind, type)
        rows = [
            (code(key.name), code(f"SLUICE_{name}_{key.name}".upper()), key.takes, key.default, key.meaning)
            for key in keys(kind)
        ]
        heads = ("key", "variable", "takes", "default", "meaning")
        parts.append(section(f"[{name}]", " ".join((kind.__doc__ or "").split()), table(heads, rows)))
    others = table(("variable", "meaning"), [(code(name), meaning) for name, meaning in OTHERS.items()])
    return page(
        "Settings",
        "ci/src/sluice/settings.py",
        "In `sluice.toml` at the root, or in the environment, which wins; a list is given there with commas. All"
        " mistakes are told at once, each with its line or variable.",
        *parts,
        section("Other variables", others),
    )
