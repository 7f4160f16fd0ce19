"""How evidence is judged, each aspect in one file; pure: nothing is read but the policy and the evidence."""
