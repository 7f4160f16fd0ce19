"""`python3 -m backend [serve|migrate|check]`."""

import sys

from backend.service import MIGRATIONS, build
from backend.settings import BackendSettings
from servicekit.entrypoint import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], name="backend", settings=BackendSettings, build=build, migrations=MIGRATIONS))
