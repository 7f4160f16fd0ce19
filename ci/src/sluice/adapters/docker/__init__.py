"""The host's own container engine: found or started, images built on it, a registry beside it."""
