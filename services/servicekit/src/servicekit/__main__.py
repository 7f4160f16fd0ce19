"""`python3 -m servicekit` runs the service that SERVICE_MODULE names: every image has this one entry point."""

import os
import runpy
import sys

if __name__ == "__main__":
    module = os.environ.get("SERVICE_MODULE", "")
    if not module:
        sys.exit("servicekit: SERVICE_MODULE is not set; expected the module to run, such as backend")
    runpy.run_module(module, run_name="__main__", alter_sys=True)
