"""One round over the places of a feed: fetch what is new, read it, publish what of it is news."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import structlog

from schemas.errors import MissingColumns
from schemas.markets import Markets
from schemas.ticks import TickBatch
from simulators.feeds.feed import Feed
from simulators.publisher import PublishReport
from simulators.replay.recording import Findings, NotThisFormat
from stream.feed.archive import Archive, NotAnArchive, Version
from stream.feed.metrics import FeedMetrics
from stream.feed.sources import each, is_web, links
from stream.feed.web import Answer, PublisherRefuses, Web

_log = structlog.get_logger("feed")
#: Lines that could not be read, told of one file; all are counted.
_TOLD = 5


@dataclass(frozen=True)
class Wanted:
    """What is polled.

    Attributes:
        sources: files, folders or URLs; see `sources.places`.
        feed: the format of all of them.
        match: names of files that count, in a folder or on a page of links.
        days: days before today that a URL of a day stands for.
    """

    sources: tuple[str, ...]
    feed: Feed
    match: str = "*"
    days: int = 1


@dataclass
class Round:
    """What came of one round.

    Attributes:
        files: that were dealt with.
        ticks: published and acknowledged.
        known: ticks in those files that had been published before.
        problems: lines, files or places that could not be read.
        refused: ticks that the broker did not take.
        stopped: it was cut short.
    """

    files: int = 0
    ticks: int = 0
    known: int = 0
    problems: int = 0
    refused: int = 0
    stopped: bool = False


class Poller:
    """Polls the places of a feed.

    Args:
        wanted: what.
        markets: the definitions.
        web: how publishers are asked.
        archive: what is known of the places.
        publish: publishes ticks and says what came of it.
        metrics: what is counted.
    """

    def __init__(
        self,
        wanted: Wanted,
        markets: Markets,
        web: Web,
        archive: Archive,
        publish: Callable[[TickBatch], PublishReport],
        metrics: FeedMetrics,
    ) -> None:
        self._wanted = wanted
        self._markets = markets
        self._web = web
        self._archive = archive
        self._publish = publish
        self._metrics = metrics

    def round(self, today: date) -> Round:
        """Look at every place once; what was fetched before a stop and not published is published first.

        Raises:
            PublisherAway: a publisher is away, or asks us to come later; what came before it is published.
            ConfigurationError: a source is not there, or the broker refuses us.
        """
        done = Round()
        for version in self._versions(today, done):
            if version.is_news and not done.stopped:
                self._deal_with(version, done)
            if done.stopped:
                break
        self._metrics.rounds.inc()
        return done

    def _versions(self, today: date, done: Round) -> Iterator[Version]:
        wanted = self._wanted
        for place in each(wanted.sources, wanted.match, today, wanted.days):
            if not is_web(place):
                yield self._archive.keep(place, Answer(Path(place).read_bytes(), None, None, is_page=False))
                continue
            # Fetched before a stop, and not published yet.
            if self._archive.version(place).is_news:
                yield self._archive.version(place)
            yield from self._fetched(place, done)

    def _fetched(self, place: str, done: Round) -> Iterator[Version]:
        known = self._archive.version(place)
        answer = self._ask(place, known, done)
        if answer is None:
            return
        if not answer.is_page:
            yield self._archive.keep(place, answer)
            return
        found_links = links(answer.body, place, self._wanted.match)
        if not found_links:
            _log.warning("page_without_files", place=place, match=self._wanted.match)
        for link in found_links:
            # A page names new files by new names: what has been dealt with is not asked for again.
            version = self._archive.version(link)
            if not version.digest:
                found = self._ask(link, version, done)
                if found is None:
                    continue
                version = self._archive.keep(link, found)
            yield version

    def _ask(self, place: str, known: Version, done: Round) -> Answer | None:
        try:
            answer = self._web.get(place, known.etag, known.modified)
        except PublisherRefuses as refusal:
            self._metrics.fetches.labels("refused").inc()
            _log.error("refused", place=place, cause=str(refusal))
            done.problems += 1
            return None
        self._metrics.fetches.labels("same" if answer is None else "new").inc()
        return answer

    def _deal_with(self, version: Version, done: Round) -> None:
        """Read a version and publish what is news; one that cannot be read is not read again until it changes."""
        findings = Findings()
        try:
            found = [self._read(path, findings) for path in self._archive.files(version.place)]
        except (NotThisFormat, MissingColumns, NotAnArchive) as error:
            _log.error("unreadable", place=version.place, cause=str(error))
            self._metrics.problems.inc()
            done.problems += 1
            self._archive.done(version)
            return
        self._tell(version, findings, done)
        edition, news = self._archive.edition(version.place).followed_by(TickBatch.concat(found))
        if len(news):
            report = self._publish(news)
            self._metrics.ticks.inc(report.acked)
            done.ticks += report.acked
            done.refused += report.refused
            done.stopped = report.stopped
        if done.stopped:
            return
        done.files += 1
        done.known += len(edition.batch) - len(news)
        self._archive.done(version, edition)

    def _read(self, path: Path, findings: Findings) -> TickBatch:
        if not path.read_bytes().strip():
            # An empty delivery says that nothing was published: no error, and nothing of before is said again. That a
            # tick is missing, the worker notices by its age.
            _log.warning("empty_delivery", file=path.name)
            return TickBatch.empty()
        return TickBatch.concat(list(self._wanted.feed.read(path, self._markets, findings)))

    def _tell(self, version: Version, findings: Findings, done: Round) -> None:
        done.problems += findings.count
        self._metrics.problems.inc(findings.count)
        for problem in findings.problems[:_TOLD]:
            _log.warning("unreadable_line", place=version.place, line=problem.line, detail=problem.detail)
        if findings.count > _TOLD:
            _log.warning("unreadable_lines", place=version.place, count=findings.count)
