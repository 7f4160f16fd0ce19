"""Tests of the charts and the fixtures, which need no cluster."""
