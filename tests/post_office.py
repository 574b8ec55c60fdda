"""Real local servers that take notices, hold them against the vendors' own rules, and misbehave when asked to."""

import asyncio
import base64
import email
import email.policy
import hashlib
import hmac
import json
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from jsonschema import Draft202012Validator

SECRET = "a secret that both know"  # noqa: S105 - of these tests

_TEXT = {"type": "string", "minLength": 1}
#: developer.pagerduty.com, "Send an alert event": required fields, enumerations and lengths.
_PAGERDUTY = {
    "type": "object",
    "required": ["routing_key", "event_action"],
    "properties": {
        "routing_key": {"const": "routing-key"},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "maxLength": 255},
        "client": _TEXT,
        "links": {"type": "array", "items": {"type": "object", "required": ["href"]}},
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": _TEXT,
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": _TEXT,
                "component": _TEXT,
                "group": _TEXT,
                "class": _TEXT,
                "custom_details": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
    "else": {"required": ["dedup_key"]},
}
#: api.slack.com, "Block Kit" reference: header and section blocks, with the longest texts.
_SLACK = {
    "type": "object",
    "required": ["text", "blocks"],
    "properties": {
        "text": _TEXT,
        "blocks": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "oneOf": [
                    {
                        "properties": {
                            "type": {"const": "header"},
                            "text": {
                                "properties": {
                                    "type": {"const": "plain_text"},
                                    "text": {"type": "string", "maxLength": 150},
                                    "emoji": {"type": "boolean"},
                                },
                                "required": ["type", "text"],
                                "additionalProperties": False,
                            },
                        },
                        "required": ["type", "text"],
                    },
                    {
                        "properties": {
                            "type": {"const": "section"},
                            "text": {
                                "properties": {
                                    "type": {"const": "mrkdwn"},
                                    "text": {"type": "string", "minLength": 1, "maxLength": 3000},
                                    "verbatim": {"type": "boolean"},
                                },
                                "required": ["type", "text"],
                                "additionalProperties": False,
                            },
                        },
                        "required": ["type", "text"],
                    },
                ]
            },
        },
    },
    "additionalProperties": False,
}
#: learn.microsoft.com, "Create and send messages" for webhooks, and adaptivecards.io for what a card is made of.
_TEAMS = {
    "type": "object",
    "required": ["type", "attachments"],
    "properties": {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["contentType", "content"],
                "properties": {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": {
                        "type": "object",
                        "required": ["type", "version", "body"],
                        "properties": {
                            "type": {"const": "AdaptiveCard"},
                            "version": {"enum": ["1.2", "1.3", "1.4", "1.5"]},
                            "body": {
                                "type": "array",
                                "items": {
                                    "required": ["type", "inlines"],
                                    "properties": {
                                        "type": {"const": "RichTextBlock"},
                                        "inlines": {
                                            "type": "array",
                                            "items": {
                                                "required": ["type", "text"],
                                                "properties": {
                                                    "type": {"const": "TextRun"},
                                                    "text": {"type": "string"},
                                                    "weight": {"enum": ["default", "lighter", "bolder"]},
                                                    "size": {"enum": ["default", "small", "medium", "large"]},
                                                    "color": {"enum": ["good", "warning", "attention", "accent"]},
                                                },
                                                "additionalProperties": False,
                                            },
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
#: The incident table of ServiceNow: fields are text, choices as delivered.
_INCIDENT = {
    "type": "object",
    "required": ["correlation_id", "urgency", "impact", "short_description"],
    "properties": {
        "correlation_id": {"type": "string", "maxLength": 100},
        "urgency": {"enum": ["1", "2", "3"]},
        "impact": {"enum": ["1", "2", "3"]},
        "short_description": {"type": "string", "maxLength": 160},
        "state": {"enum": ["1", "2", "3", "6", "7"]},
    },
    "additionalProperties": {"type": "string"},
    "if": {"properties": {"state": {"const": "6"}}, "required": ["state"]},
    "then": {"required": ["close_code", "close_notes"]},
}
#: ServiceNow Event Management, fields of `em_event`.
_EVENTS = {
    "type": "object",
    "required": ["records"],
    "properties": {
        "records": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["source", "node", "type", "severity", "message_key"],
                "properties": {
                    "severity": {"enum": ["0", "1", "2", "3", "4", "5"]},
                    "resolution_state": {"enum": ["New", "Closing"]},
                    "time_of_event": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"},
                },
                "additionalProperties": {"type": "string"},
            },
        }
    },
}
#: What a mail server says where a web server says this.
_SMTP = {429: 451, 500: 451, 503: 421}
_SCHEMAS = {"pagerduty": _PAGERDUTY, "slack": _SLACK, "teams": _TEAMS, "correlation": _EVENTS}


@dataclass
class Fault:
    """One misbehaviour.

    Attributes:
        status: answered instead; 0 closes the connection without an answer.
        headers: with it.
        takes: whether the notice was taken all the same, so that its sender cannot know.
        hang_s: silence before the answer [s].
        kills: whether its sender is killed before the answer.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    takes: bool = False
    hang_s: float = 0.0
    kills: bool = False


@dataclass
class PostOffice:
    """What has arrived.

    Attributes:
        url: of the HTTP server.
        smtp_port: of the mail server.
        taken: by service, what it took, valid by its schema.
        wrong: what it did not, and why.
        faults: what the next requests meet, one each.
        plans: by service, what the next notices meet, one each; None is taken as it should.
        told: by service, what it knows each notice by that it took, and which notice that was.
        kill: kills whoever waits for an answer.
        tickets: of ServiceNow, by sys_id.
        mails: as they arrived.
        asked_at: when requests came, on the loop's clock [s].
    """

    url: str = ""
    smtp_port: int = 0
    taken: dict[str, list[Any]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    plans: dict[str, list[Fault | None]] = field(default_factory=dict)
    told: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    kill: Callable[[], None] = lambda: None
    tickets: dict[str, dict[str, str]] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Take a request as its service would."""
        self.asked_at.append(asyncio.get_running_loop().time())
        await request.read()
        fault = self._fault("" if request.method == "GET" else _service(request))
        if fault is not None:
            if fault.takes:
                await self._take(request)
            await self._misbehave(fault)
            if fault.status:
                return web.Response(status=fault.status, headers=fault.headers, text="scripted")
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return await self._take(request)

    def _fault(self, service: str) -> Fault | None:
        planned = self.plans.get(service)
        if planned:
            return planned.pop(0)
        return self.faults.popleft() if self.faults else None

    async def _misbehave(self, fault: Fault) -> None:
        await asyncio.sleep(fault.hang_s)
        if fault.kills:
            await asyncio.to_thread(self.kill)

    async def _take(self, request: web.Request) -> web.Response:
        service = _service(request)
        if service == "servicenow":
            return await self._incident(request)
        body = await request.read()
        if service == "webhook" and not _is_signed(request, body):
            return web.Response(status=401)
        value = json.loads(body)
        problem = next(iter(Draft202012Validator(_SCHEMAS.get(service, {})).iter_errors(value)), None)
        if problem is not None:
            self.wrong.append(f"{service}: {problem.message}")
            return web.Response(status=400, text=problem.message)
        self.taken.setdefault(service, []).append(value)
        self.told[service].append(_known(service, request, value))
        return web.json_response({"status": "success"}, status=202 if service == "pagerduty" else 200)

    async def _incident(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Basic " + base64.b64encode(f"ops:{SECRET}".encode()).decode():
            return web.Response(status=401)
        if request.method == "GET":
            wanted = request.query["sysparm_query"].removeprefix("correlation_id=")
            found = [{"sys_id": key} for key, item in self.tickets.items() if item["correlation_id"] == wanted]
            return web.json_response({"result": found[:1]})
        value = await request.json()
        problem = next(iter(Draft202012Validator(_INCIDENT).iter_errors(value)), None)
        if problem is not None:
            self.wrong.append(f"servicenow: {problem.message}")
            return web.Response(status=400, text=problem.message)
        key = request.path.rpartition("/")[2] if request.method == "PATCH" else f"sys{len(self.tickets)}"
        self.tickets[key] = self.tickets.get(key, {}) | value
        self.taken.setdefault("servicenow", []).append(value)
        self.told["servicenow"].append((value["correlation_id"], value["short_description"]))
        return web.json_response({"result": {"sys_id": key}}, status=200 if request.method == "PATCH" else 201)

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take a mail."""
        fault = self._fault("mail")
        if fault is None or fault.takes:
            content = envelope.content or b""
            raw = content if isinstance(content, bytes) else content.encode()
            mail = email.message_from_bytes(raw, policy=email.policy.default)
            self.mails.append(mail)
            self.told["mail"].append((str(mail["Message-ID"]), str(mail["Subject"])))
        if fault is None:
            return "250 OK"
        await self._misbehave(fault)
        if fault.status == 0 and server.transport is not None:
            server.transport.close()
        return f"{_SMTP.get(fault.status, fault.status or 451)} scripted"


def _service(request: web.Request) -> str:
    return request.path.strip("/").partition("/")[0]


def _known(service: str, request: web.Request, value: Any) -> tuple[str, str]:
    """Return what a service knows a notice by, empty for nothing, and the notice in words."""
    if service == "pagerduty":
        return value["dedup_key"], f"{value['dedup_key']} {value['event_action']}"
    if service == "correlation":
        return value["records"][0]["message_key"], value["records"][0]["description"]
    if service == "webhook":
        return request.headers["webhook-id"], request.headers["webhook-id"]
    if service == "slack":
        return "", value["text"]
    return "", value["attachments"][0]["content"]["body"][0]["inlines"][0]["text"]


def _is_signed(request: web.Request, body: bytes) -> bool:
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(f"v1,{mac}", request.headers["webhook-signature"])


@asynccontextmanager
async def post_office() -> AsyncIterator[PostOffice]:
    """Open the servers."""
    office = PostOffice()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", office.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    office.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    mail = await asyncio.get_running_loop().create_server(lambda: SMTP(office), "127.0.0.1", 0)
    office.smtp_port = mail.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        mail.close()
        await mail.wait_closed()
        await runner.cleanup()


@contextmanager
def office_in_a_thread() -> Iterator[PostOffice]:
    """Open the servers beside a test that waits for processes."""
    loop, found, done = asyncio.new_event_loop(), list[PostOffice](), asyncio.Event()
    opened = threading.Event()

    async def serve() -> None:
        async with post_office() as office:
            found.append(office)
            opened.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="post-office", daemon=True)
    thread.start()
    assert opened.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
