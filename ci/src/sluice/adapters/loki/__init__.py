"""Loki by its HTTP API: `client` implements ports.Logs."""
