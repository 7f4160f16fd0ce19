"""A WebSocket hub: every user's clients get their tasks' changes, in order and without a gap.

Events become numbered rows (store.py), a notification wakes every replica (announce.py, listener.py), and each
replica's hub reads the rows and hands them to its own connections (hub.py, connection.py). Who may connect is
decided in handshake.py; close_codes.py lists why a connection ends. Order and completeness come from the table
alone: a notification only says when to look.
"""
