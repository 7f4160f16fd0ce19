"""Sluice: an evidence-gated delivery pipeline. Start reading at `pipeline.py`."""

__version__ = "0.1.0"
