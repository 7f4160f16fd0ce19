"""JSON lines on stdout, one shape for our own lines and for those of uvicorn, alembic and SQLAlchemy."""

from __future__ import annotations

import logging
import re
import sys
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from servicekit.context import current_context

# Container runtimes cut a line at 16 KiB and a cut line is no JSON any more.
_TRACEBACK_LIMIT = 8_000
_MESSAGE_LIMIT = 2_000
_SENSITIVE = re.compile(r"password|passwd|secret|token|authorization|cookie|api_?key", re.IGNORECASE)


def configure_logging(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log line of the process to stdout (or `stream`) as JSON; uncaught exceptions included."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _Shape(service),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "sqlalchemy"):
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
    # One line per call would repeat what we say of it ourselves, and its URLs may hold secrets.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


class _Shape:
    """Put the seven fields that every line has first, and mask what looks like a secret."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        context = current_context()
        line: dict[str, Any] = {
            "timestamp": event.pop("timestamp"),
            "level": str(event.pop("level")).upper(),
            "service": self._service,
            "message": str(event.pop("event", ""))[:_MESSAGE_LIMIT],
            "request_id": context.request_id if context else None,
            "user_id": context.user_id if context else None,
            "trace_id": context.trace_id if context else None,
        }
        if "exception" in event:
            # The tail of a traceback says what failed and where; the head is the framework's.
            line["traceback"] = str(event.pop("exception"))[-_TRACEBACK_LIMIT:]
        for name, value in event.items():
            if name not in line:
                line[name] = "***" if _SENSITIVE.search(name) and value else value
        return line


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    structlog.stdlib.get_logger("servicekit").critical("the process died", exc_info=(kind, error, traceback))
