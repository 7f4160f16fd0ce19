"""`python3 -m notification [serve|migrate|check]`."""

import sys

from notification.service import MIGRATIONS, build
from notification.settings import NotificationSettings
from servicekit.entrypoint import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], name="notification", settings=NotificationSettings, build=build, migrations=MIGRATIONS))
