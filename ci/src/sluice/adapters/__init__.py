"""The programs and services that Sluice drives; nothing here is imported by a step."""
