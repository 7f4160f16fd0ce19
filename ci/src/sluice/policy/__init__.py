"""release/: the policy, the overrides and the quarantine, read and checked; what they say is `model.py`."""

from sluice.policy.criteria import Criterion as Criterion
from sluice.policy.criteria import Operator as Operator
from sluice.policy.exceptions import load_overrides as load_overrides
from sluice.policy.exceptions import load_quarantine as load_quarantine
from sluice.policy.exceptions import why_not_overridden as why_not_overridden
from sluice.policy.loading import load_policy as load_policy
from sluice.policy.model import SCHEMA as SCHEMA
from sluice.policy.model import Baselines as Baselines
from sluice.policy.model import Objective as Objective
from sluice.policy.model import Policy as Policy
from sluice.policy.model import Trust as Trust
from sluice.policy.model import expand as expand
