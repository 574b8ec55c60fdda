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

from tests.vendors import problem_of

SECRET = "a secret that both know"  # noqa: S105 - of these tests

#: What a mail server says where a web server says this.
_SMTP = {429: 451, 500: 451, 503: 421}


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
        problem = problem_of(service, value)
        if problem is not None:
            self.wrong.append(f"{service}: {problem}")
            return web.Response(status=400, text=problem)
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
        problem = problem_of("servicenow", value)
        if problem is not None:
            self.wrong.append(f"servicenow: {problem}")
            return web.Response(status=400, text=problem)
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
