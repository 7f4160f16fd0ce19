"""`python3 -m audit [serve|migrate|check|verify]`."""

import sys

from audit.service import MIGRATIONS, build
from audit.settings import AuditSettings
from audit.verify import verify_command
from servicekit.entrypoint import run

if __name__ == "__main__":
    sys.exit(
        run(
            sys.argv[1:],
            name="audit",
            settings=AuditSettings,
            build=build,
            migrations=MIGRATIONS,
            commands={"verify": verify_command},
        )
    )
