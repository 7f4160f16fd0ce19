"""What every Sluice service shares; `create_app` in `app.py` is the way in.

app.py         the FastAPI factory: middleware, problem details, health, metrics
entrypoint.py  `python3 -m <service> [serve|migrate]`
settings.py    environment → settings, all mistakes reported at once; secrets come from files
logs.py        structlog JSON on stdout, uvicorn's and alembic's own lines included
context.py     request id, trace id and user id of the request being served
observe.py     one access line and two metrics per request
metrics.py     the metrics that every service has
health.py      /healthz, /readyz, /metrics
problems.py    RFC 9457 problem details for every error
limits.py      the request body's size limit
identity.py    who is asking (a header for now)
database.py    engine, transactions, query timing
migrate.py     alembic under an advisory lock
server.py      uvicorn that drains before it stops
"""
