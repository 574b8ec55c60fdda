"""Mail by SMTP.

Guarantee: at least once; a repeat has the same `Message-ID`, which mail programs show once.
"""

import asyncio
import html
import smtplib
import ssl
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage

from sinks.channels.channel import ChannelAway, ChannelRefused, Notice

_TIMEOUT_S = 15.0
_SUBJECT = 200


class Mail:
    """A server and those who read.

    Args:
        host: the server.
        port: 465 speaks TLS from the start, any other as `tls` says.
        sender: address that it comes from.
        to: addresses that it goes to.
        tls: whether STARTTLS is demanded.
        user: who sends; none without.
        password: theirs.
    """

    keyed = False
    follows = False

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        to: Sequence[str],
        *,
        tls: bool = True,
        user: str | None = None,
        password: str = "",
    ) -> None:
        self._host, self._port, self._sender, self._to = host, port, sender, tuple(to)
        self._tls, self._user, self._password = tls, user, password

    async def send(self, notice: Notice) -> None:
        """Hand the mail to the server; see `Channel.send`."""
        message = message_of(notice, self._sender, self._to)
        try:
            await asyncio.to_thread(self._send, message)
        except smtplib.SMTPResponseException as error:
            if 400 <= error.smtp_code < 500:
                raise ChannelAway(f"mail: {error.smtp_code}") from None
            raise ChannelRefused(f"mail: {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            if all(400 <= code < 500 for code in codes):
                raise ChannelAway(f"mail: all recipients put off: {codes}") from None
            raise ChannelRefused(f"mail: all recipients refused: {codes}") from None
        except (OSError, smtplib.SMTPException) as error:
            raise ChannelAway(f"mail: {type(error).__name__}") from None

    async def close(self) -> None:
        """Nothing stays open."""

    def _send(self, message: EmailMessage) -> None:
        with self._connected() as server:
            if self._user is not None:
                server.login(self._user, self._password)
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        if self._port == smtplib.SMTP_SSL_PORT:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=_TIMEOUT_S, context=context)
        server = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_S)
        if self._tls:
            server.starttls(context=ssl.create_default_context())
        return server


def message_of(notice: Notice, sender: str, to: Sequence[str]) -> EmailMessage:
    """Return the mail; nothing of a name reaches a header but as text, or the page but escaped."""
    message = EmailMessage()
    message["From"] = Address(addr_spec=sender)
    message["To"] = [Address(addr_spec=address) for address in to]
    message["Subject"] = "".join(c if c.isprintable() else " " for c in notice.title)[:_SUBJECT]
    message["Date"] = notice.event.time
    message["Message-ID"] = f"<{notice.id}@meterstream>"
    message["References"] = f"<{notice.key}@meterstream>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(f"{name}: {text}" for name, text in notice.facts.items()) + "\n")
    rows = "".join(
        f"<tr><th align=left valign=top>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
        for name, text in notice.facts.items()
    )
    message.add_alternative(f"<h3>{html.escape(notice.title)}</h3><table>{rows}</table>\n", subtype="html")
    return message
