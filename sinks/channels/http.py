"""HTTP to other people's services: what an answer means, and nothing secret in an error."""

import base64
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from sinks.channels.channel import ChannelAway, ChannelRefused

#: A service that is silent for so long hangs [s].
TIMEOUT_S = 10.0
_TRY_AGAIN = {408, 425, 429}
_SHOWN = 200


class Http:
    """One service.

    Args:
        name: what errors call it.
        headers: sent with every request.
        timeout_s: longest silence [s].
    """

    def __init__(self, name: str, headers: dict[str, str] | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._name = name
        self._headers = headers or {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> Any:
        """Send JSON, or bytes as they are; return the answer's JSON, None where it has none.

        Raises:
            ChannelAway: no answer, 408, 425, 429 or 5xx; with what `Retry-After` asks for.
            ChannelRefused: any other answer that is not 2xx.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=self._headers)
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        sent = {"Content-Type": "application/json"} if data is not None else {}
        try:
            async with self._session.request(
                method, url, data=data, headers=sent | (headers or {}), allow_redirects=False, **more
            ) as answer:
                text = await answer.text(errors="replace")
                _judge(self._name, answer.status, text, answer.headers.get("Retry-After"))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # The error's own words may hold the address, which of a webhook is its secret.
            raise ChannelAway(f"{self._name}: {type(error).__name__}") from None
        try:
            return json.loads(text)
        except ValueError:
            return None

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


def basic(user: str, password: str) -> str:
    """Return the Authorization header of a user (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _judge(name: str, status: int, text: str, retry_after: str | None) -> None:
    if 200 <= status < 300:
        return
    if status in _TRY_AGAIN or status >= 500:
        raise ChannelAway(f"{name}: HTTP {status}", seconds_of(retry_after, datetime.now(UTC)))
    raise ChannelRefused(f"{name}: HTTP {status}: {text[:_SHOWN]}")


def seconds_of(retry_after: str | None, now: datetime) -> float:
    """Return what a Retry-After header asks for [s]: seconds or a date (RFC 9110, section 10.2.3); 0 for nonsense."""
    if not retry_after:
        return 0.0
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0
