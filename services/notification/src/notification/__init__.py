"""Reminders and task events, delivered to their owner's channels.

service.py       puts it together
consumer.py      an event becomes one delivery for each channel that wants it
messages.py      what is delivered: the webhook's body, version 1
mails.py         the same as an e-mail
queue.py         deliveries in the database: leases, outcomes, dead letters
worker.py        claims what is due, sends it, notes what came of it
webhook.py       the sender of webhooks; addresses.py decides where they may go, signatures.py signs them
smtp.py          the sender of e-mail
routes.py        what users see: channels.py and deliveries.py behind it
receiver.py      a receiver of webhooks for E2E suites
"""
