"""What every Sluice service shares; `create_app` in `app.py` is the way in.

app.py         the FastAPI factory: middleware, problem details, health, metrics, background work
entrypoint.py  `python3 -m <service> [serve|migrate|check|…]`; __main__.py runs it in an image
settings.py    environment → settings, all mistakes reported at once; secrets come from files
logs.py        structlog JSON on stdout, uvicorn's and alembic's own lines included
context.py     request id, trace id and user id of what is being served
observe.py     one access line and two metrics per request
metrics.py     the metrics that every service has
health.py      /healthz, /readyz, /metrics
problems.py    RFC 9457 problem details for every error
limits.py      the request body's size limit
identity.py    who is asking: a signed token, held to the keys of a mounted file
database.py    engine, transactions, query timing
tables.py      what models have in common, and the tables of events (event_migrations.py creates them)
migrate.py     alembic under an advisory lock
server.py      uvicorn that drains before it stops (websocket_protocol.py: its WebSockets, bounded)
background.py  work beside the requests, supervised

events.py         the events and their models (event_schemas.py and schemas/: the same as JSON Schema)
messaging.py      a service's side of them, put together: what create_app takes
outbox.py         publishing what is committed, in order (dapr.py: through the sidecar)
subscriptions.py  consuming, each event once (inbox.py), dead letters
event_metrics.py  what is counted of them
recurrence.py     RFC 5545 rules in the wall time of a zone
"""
