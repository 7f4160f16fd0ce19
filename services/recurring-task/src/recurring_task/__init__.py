"""Next occurrences of recurring tasks and due reminders; service.py puts it together, ../../README.md says why so."""
