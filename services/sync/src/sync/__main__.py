"""`python3 -m sync [serve|migrate|check]`."""

import sys

from servicekit.entrypoint import run
from sync.service import MIGRATIONS, build
from sync.settings import SyncSettings

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], name="sync", settings=SyncSettings, build=build, migrations=MIGRATIONS, websockets=True))
