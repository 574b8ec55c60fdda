"""One polite request at a time: conditional, named, spaced, bounded; what a publisher answers decides what is next."""

import gzip
import http.client
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from schemas.errors import MeterstreamError, ServiceUnavailable

#: A day of a market with thousands of nodes is some tens of megabytes.
MAX_BODY_BYTES = 256 * 1024 * 1024
#: Longest wait that a publisher may ask of us [s]; a header with more is a mistake.
_MOST_RETRY_AFTER_S = 86_400.0
_NOT_THERE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.NO_CONTENT}
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class PublisherAway(ServiceUnavailable):
    """A publisher did not answer, or asks us to come later.

    Args:
        place: what was asked for.
        cause: what it said.
        retry_after_s: how long it asks us to stay away [s].
    """

    def __init__(self, place: str, cause: object, retry_after_s: float = 0.0) -> None:
        super().__init__("feed", f"{place}: {cause}")
        self.retry_after_s = retry_after_s


class PublisherRefuses(MeterstreamError):
    """A publisher will not give us something, however often it is asked: a person has to look."""


@dataclass(frozen=True)
class Answer:
    """What a publisher holds.

    Attributes:
        body: the bytes, unpacked where they were compressed on their way.
        etag: by which it knows this version.
        modified: time of this version, in its own words.
        is_page: it is a page of links rather than data.
    """

    body: bytes
    etag: str | None
    modified: str | None
    is_page: bool


class Web:
    """Asks publishers, one request at a time.

    Args:
        user_agent: who we say we are.
        pause_s: least time between two requests to one host [s].
        timeout_s: longest silence [s].
        sleep: waits so many seconds; a stop may end it early.
        now_s: a monotonic clock [s].
    """

    def __init__(
        self,
        user_agent: str,
        pause_s: float,
        timeout_s: float,
        sleep: Callable[[float], object] = time.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip"}
        self._pause_s, self._timeout_s = pause_s, timeout_s
        self._sleep, self._now_s = sleep, now_s
        self._asked_s = dict[str, float]()

    def get(self, url: str, etag: str | None = None, modified: str | None = None) -> Answer | None:
        """Return what is at a URL; None where it is what we know already, or where nothing is there yet.

        Args:
            url: `http://` or `https://`.
            etag: version that we have.
            modified: its time, as the publisher said it.

        Raises:
            PublisherAway: no answer, half an answer, or a request to come later.
            PublisherRefuses: it will not give it to us.
        """
        conditions = {"If-None-Match": etag, "If-Modified-Since": modified}
        headers = self._headers | {name: value for name, value in conditions.items() if value}
        self._wait_for_turn(urlsplit(url).netloc)
        try:
            # The scheme is http or https: `sources.is_web` has looked.
            with urllib.request.urlopen(  # noqa: S310
                urllib.request.Request(url, headers=headers),  # noqa: S310
                timeout=self._timeout_s,
            ) as found:
                if found.status in _NOT_THERE:
                    return None
                body = found.read(MAX_BODY_BYTES + 1)
                _whole(url, body, found.headers.get("Content-Length"))
                return _answer(url, body, found.headers)
        except urllib.error.HTTPError as error:
            with error:
                _raise_unless_no_news(url, error)
            return None
        except (OSError, http.client.HTTPException, EOFError, zlib.error) as error:
            raise PublisherAway(url, repr(error)) from error

    def _wait_for_turn(self, host: str) -> None:
        left = self._asked_s.get(host, -self._pause_s) + self._pause_s - self._now_s()
        if left > 0:
            self._sleep(left)
        self._asked_s[host] = self._now_s()


def _whole(url: str, body: bytes, length: str | None) -> None:
    """Make sure that an answer did not break off; reading up to a bound does not tell."""
    if length is not None and length.isdigit() and len(body) < min(int(length), MAX_BODY_BYTES):
        raise PublisherAway(url, f"broke off after {len(body)} of {length} bytes")


def _answer(url: str, body: bytes, headers: http.client.HTTPMessage) -> Answer:
    if headers.get("Content-Encoding", "").lower() == "gzip":
        body = gzip.decompress(body)
    if len(body) > MAX_BODY_BYTES:
        raise PublisherRefuses(f"{url} holds more than {MAX_BODY_BYTES} bytes")
    is_page = headers.get_content_type() in {"text/html", "application/xhtml+xml"}
    return Answer(body, headers.get("ETag"), headers.get("Last-Modified"), is_page)


def _raise_unless_no_news(url: str, error: urllib.error.HTTPError) -> None:
    """Tell apart what is not news, what is not there yet, what passes by itself, and what does not."""
    if error.code == HTTPStatus.NOT_MODIFIED or error.code in _NOT_THERE:
        return
    if error.code in _LATER or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise PublisherAway(url, f"{error.code} {error.reason}", _retry_after_s(error.headers.get("Retry-After")))
    raise PublisherRefuses(f"{url}: {error.code} {error.reason}")


def _retry_after_s(text: str | None) -> float:
    """Read seconds or a date; what is neither asks for nothing."""
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return 0.0
    return min(max(seconds, 0.0), _MOST_RETRY_AFTER_S)
