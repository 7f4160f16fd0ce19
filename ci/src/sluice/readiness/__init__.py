"""Whether a target is fit for production: the catalog, the checks of it, confirmations, and the score. Pure.

Begin with judging.py. catalog.toml says what is checked, and docs/production-readiness.md is made of it; checks/ how.
"""

from sluice.readiness.catalog import load_catalog as load_catalog
from sluice.readiness.confirmations import load_confirmations as load_confirmations
from sluice.readiness.judging import judge as judge
