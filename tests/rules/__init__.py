"""Tests of the alert rules, which need no cluster."""
