"""Log lines: one JSON object each on standard error, secrets struck out; a healthy engine writes none."""

import logging
import re
import sys
import threading
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"password|secret|token|passphrase|private_key", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]*@")
_STRUCK_OUT = "***"


def configure(level: str) -> None:
    """Send our own and every library's log lines to standard error as JSON.

    Args:
        level: lowest level that is written (`debug`, `info`, `warning`, `error`).
    """
    steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=steps,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    threading.excepthook = _log_thread_death


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Strike out the values of secret-looking names and the passwords inside URLs."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = _STRUCK_OUT
        elif isinstance(value, str):
            event[name] = without_password(value)
    return event


def without_password(text: str) -> str:
    """Return a text with the password of every URL in it struck out."""
    return _USER_INFO.sub(rf"\1:{_STRUCK_OUT}@", text)


def _log_thread_death(death: threading.ExceptHookArgs) -> None:
    name = death.thread.name if death.thread else "unknown"
    structlog.get_logger("threads").error("thread_died", thread=name, exc_info=death.exc_value)
