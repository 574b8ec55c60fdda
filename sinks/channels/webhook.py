"""Any program that takes a POST: the CloudEvent as it is on the topic, signed.

Guarantee: at least once; `webhook-id` is the same when a notice is sent again.
"""

import base64
import hashlib
import hmac
import json
import time

from schemas.alert_events import CLOUD_EVENT
from sinks.channels.channel import Notice
from sinks.channels.http import Http


class Webhook:
    """One receiver, signed to as https://www.standardwebhooks.com has it (HMAC-SHA256 over id, time and body).

    Args:
        url: where it listens.
        secret: that both know.
    """

    keyed = True
    follows = True

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret
        self._http = Http("webhook")

    async def send(self, notice: Notice) -> None:
        """Post the event, or of a digest the count and the most severe; see `Channel.send`."""
        body = notice.event.model_dump_json().encode()
        kind = CLOUD_EVENT
        if notice.count > 1:
            digest = {"count": notice.count, "most_severe": json.loads(body), "others": notice.others}
            body, kind = json.dumps(digest).encode(), "application/json"
        await self._http.call(
            "POST", self._url, body, {"Content-Type": kind, **signed(notice.id, int(time.time()), body, self._secret)}
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def signed(identity: str, now_s: int, body: bytes, secret: str) -> dict[str, str]:
    """Return the headers that prove who has sent a body and when."""
    mac = hmac.new(secret.encode(), f"{identity}.{now_s}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(now_s),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
