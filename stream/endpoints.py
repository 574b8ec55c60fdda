"""Where the services are: what the settings say, and the local stack for the rest."""

from collections.abc import Collection

from schemas.errors import ConfigurationError
from stream.settings import PREFIX, Settings
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack

ALL = tuple(Endpoints.__dataclass_fields__)


def resolve(settings: Settings, needs: Collection[str] = ALL) -> Endpoints:
    """Return the URL of every service.

    Args:
        settings: their URLs come first.
        needs: those that must be known (`kafka_url`, ...); another one that is not known is empty.

    Raises:
        ConfigurationError: a needed one has no URL and the local stack is not up; it says which and what to do.
    """
    urls: dict[str, str | None] = {name: getattr(settings, name) for name in ALL}
    if any(urls[name] is None for name in needs):
        local = LocalStack(settings.local_dir).endpoints()
        if local is not None:
            urls = {name: url or getattr(local, name) for name, url in urls.items()}
    missing = [name for name in needs if urls[name] is None]
    if missing:
        variables = ", ".join(f"{PREFIX}{name.upper()}" for name in missing)
        raise ConfigurationError(
            f"{', '.join(missing)} unknown: the local stack in {settings.local_dir} is not up; "
            f"run `meterstream stack up` or set {variables}"
        )
    return Endpoints(**{name: url or "" for name, url in urls.items()})
