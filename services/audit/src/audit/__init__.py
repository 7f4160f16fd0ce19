"""The audit log; `service.py` builds it, `chain.py` says what an entry's hash is over."""
