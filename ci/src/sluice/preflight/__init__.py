"""What a target has and lacks for a deploy, each line with its cure; reads only. Begin with examine.py."""

from sluice.preflight.examine import examine_target as examine_target
