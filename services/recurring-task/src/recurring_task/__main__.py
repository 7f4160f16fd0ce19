"""`python3 -m recurring_task [serve|migrate|check]`."""

import sys

from recurring_task.service import MIGRATIONS, build
from recurring_task.settings import RecurringTaskSettings
from servicekit.entrypoint import run

if __name__ == "__main__":
    sys.exit(
        run(sys.argv[1:], name="recurring-task", settings=RecurringTaskSettings, build=build, migrations=MIGRATIONS)
    )
