"""Channels and routes from a file; what is secret in it comes from the environment or from files."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from processors.routing import Route
from schemas.errors import ConfigurationError
from sinks.channels.channel import Channel
from sinks.channels.correlation import Correlation
from sinks.channels.mail import Mail
from sinks.channels.pagerduty import PagerDuty
from sinks.channels.servicenow import ServiceNow
from sinks.channels.slack import Slack
from sinks.channels.teams import Teams
from sinks.channels.webhook import Webhook


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(_Group):
    """Where a secret is: the name of a variable, or a file; never the secret itself."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret is {env = ...} or {file = ...}")
        return self

    def read(self) -> str:
        """Return the secret.

        Raises:
            ConfigurationError: it is not there.
        """
        try:
            found = os.environ.get(self.env, "") if self.env is not None else (self.file or Path()).read_text().strip()
        except OSError as error:
            raise ConfigurationError(f"secret {self.file}: {error.strerror}") from None
        if not found:
            raise ConfigurationError(f"secret {self.env or self.file} is empty or not set")
        return found


class _Sort(_Group):
    """What every channel has."""

    per_minute: PositiveInt = Field(default=30, description="notices at most")
    digest_over: PositiveInt = Field(default=20, description="where more are due, one notice tells of all of them")
    digest_pause_s: PositiveFloat = Field(default=30.0, description="from one such notice to the next one at least [s]")
    every_s: PositiveFloat | None = Field(default=None, description="collected for so long into one notice [s]")
    next: str | None = Field(default=None, description="channel that is tried while this one does not work")
    open_after: PositiveInt = Field(default=4, description="failures in a row after which it is left alone")
    pause_s: PositiveFloat = Field(default=60.0, description="for so long at first, then one notice tries it [s]")


class _PagerDuty(_Sort):
    sort: Literal["pagerduty"]
    key: Secret
    url: str = "https://events.pagerduty.com/v2/enqueue"

    def open(self) -> Channel:
        return PagerDuty(self.key.read(), self.url)


class _Slack(_Sort):
    sort: Literal["slack"]
    url: Secret

    def open(self) -> Channel:
        return Slack(self.url.read())


class _Teams(_Sort):
    sort: Literal["teams"]
    url: Secret

    def open(self) -> Channel:
        return Teams(self.url.read())


class _Webhook(_Sort):
    sort: Literal["webhook"]
    url: str
    secret: Secret

    def open(self) -> Channel:
        return Webhook(self.url, self.secret.read())


class _ServiceNow(_Sort):
    sort: Literal["servicenow"]
    url: str
    user: str
    password: Secret
    group: str = ""
    close_code: str = "Solution provided"

    def open(self) -> Channel:
        return ServiceNow(self.url, self.user, self.password.read(), self.group, self.close_code)


class _Correlation(_Sort):
    sort: Literal["correlation"]
    url: str
    user: str
    password: Secret

    def open(self) -> Channel:
        return Correlation(self.url, self.user, self.password.read())


class _Mail(_Sort):
    sort: Literal["mail"]
    host: str
    port: int = 587
    sender: str
    to: tuple[str, ...] = Field(min_length=1)
    tls: bool = True
    user: str | None = None
    password: Secret | None = None

    def open(self) -> Channel:
        password = self.password.read() if self.password is not None else ""
        return Mail(self.host, self.port, self.sender, self.to, tls=self.tls, user=self.user, password=password)


AnyChannel = Annotated[
    _PagerDuty | _Slack | _Teams | _Webhook | _ServiceNow | _Correlation | _Mail, Field(discriminator="sort")
]


class Routing(_Group):
    """The whole file."""

    wait_s: float = Field(
        default=10.0, ge=0, description="what opens is told after this, when it has found its group [s]"
    )
    not_older_s: PositiveFloat = Field(default=3_600.0, description="nobody is told of changes that are older [s]")
    channel: Mapping[str, AnyChannel] = {}
    route: tuple[Route, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Self:
        named = {name for route in self.route for name in (*route.to, *route.escalate_to)}
        named |= {channel.next for channel in self.channel.values() if channel.next is not None}
        if unknown := sorted(named - set(self.channel)):
            raise ValueError(f"there is no channel {', '.join(unknown)}")
        return self

    def with_next(self, channels: Iterable[str]) -> list[str]:
        """Return channels and those that are told while one of them does not work, each once."""
        found = list(channels)
        for name in found:  # which grows meanwhile
            following = self.channel[name].next
            if following is not None and following not in found:
                found.append(following)
        return found


@dataclass(frozen=True)
class Post:
    """A channel and how it is treated."""

    settings: _Sort
    channel: Channel


def load_routing(path: Path | None) -> Routing:
    """Read channels and routes; without a file there are none, and nobody is told.

    Raises:
        ConfigurationError: the file cannot be read, or says what cannot be; both are named.
    """
    if path is None:
        return Routing()
    try:
        return Routing.model_validate(tomllib.loads(path.read_text()))
    except ValidationError as error:
        # Its own words hold what was given, which may be a secret in the wrong place.
        found = error.errors(include_input=False, include_url=False)
        said = (f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}" for item in found)
        raise ConfigurationError(f"routes of alerts {path}: {'; '.join(said)}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"routes of alerts {path}: {error}") from error


def open_channels(routing: Routing) -> dict[str, Post]:
    """Make every channel, with its secrets.

    Raises:
        ConfigurationError: a secret is not there.
    """
    return {name: Post(settings, settings.open()) for name, settings in routing.channel.items()}
