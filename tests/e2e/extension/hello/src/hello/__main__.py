"""`python3 -m hello [serve|check]`."""

import sys

from servicekit.entrypoint import run

from .service import HelloSettings, build

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], name="hello", settings=HelloSettings, build=build))
