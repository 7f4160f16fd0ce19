"""`python3 -m __module__ [serve|check]`."""

import sys

from servicekit.entrypoint import run

from .service import GreetingSettings, build

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], name="__service__", settings=GreetingSettings, build=build))
