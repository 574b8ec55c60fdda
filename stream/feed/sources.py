"""What the words of a source stand for: files, folders, URLs, URLs of a day, pages of links."""

from collections.abc import Iterator
from datetime import date, timedelta
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from schemas.errors import ConfigurationError


def is_web(source: str) -> bool:
    """Say whether a source is a URL."""
    return source.lower().startswith(("http://", "https://"))


def places(source: str, match: str, today: date, days: int) -> list[str]:
    """Return what a source stands for today: URLs or paths, in order.

    Args:
        source: a file; a folder, which stands for its files; or a URL, in which `%Y %m %d` stand for a day.
        match: names of files that count, as a shell would have it.
        today: the day.
        days: days before today that a URL of a day stands for, too; tomorrow is always among them.

    Raises:
        ConfigurationError: there is no such file or folder.
    """
    if is_web(source):
        first = today - timedelta(days=days)
        dated = [(first + timedelta(days=step)).strftime(source) for step in range(days + 2)] if "%" in source else []
        return list(dict.fromkeys(dated)) or [source]
    path = Path(source)
    if path.is_dir():
        return [str(file) for file in sorted(path.iterdir()) if file.is_file() and fnmatch(file.name, match)]
    if not path.is_file():
        raise ConfigurationError(f"{source!r} is no file, no folder and no URL")
    return [source]


def name_of(place: str) -> str:
    """Return the file name of a place; readers may go by it."""
    path = urlsplit(place).path if is_web(place) else place
    return unquote(path.rstrip("/").rpartition("/")[2]).replace("/", "_") or "index"


def links(page: bytes, address: str, match: str) -> list[str]:
    """Return the files that a page links to and whose names match, as URLs on the same host, in the page's order."""
    reader = _Links()
    reader.feed(page.decode("utf-8", errors="replace"))
    found = (urljoin(address, link) for link in reader.found)
    host = urlsplit(address).netloc
    return list(
        dict.fromkeys(
            url for url in found if urlsplit(url).netloc == host and _is_file(url) and fnmatch(name_of(url), match)
        )
    )


def _is_file(url: str) -> bool:
    return is_web(url) and not urlsplit(url).path.endswith("/")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where an anchor leads."""
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def each(sources: tuple[str, ...], match: str, today: date, days: int) -> Iterator[str]:
    """Yield all places of some sources; see `places`."""
    for source in sources:
        yield from places(source, match, today, days)
