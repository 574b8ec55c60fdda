"""`python -m tests.fuzz`: a million payloads through the codecs; exit code 0 only when none did harm."""

import resource
import sys
import time
from itertools import islice

import click

from schemas.readings import ReadingBatch
from schemas.ticks import TickBatch
from tests.fuzz.mutations import payloads
from tests.fuzz.neighbours import Harmed, culprit, hold

#: Payloads decoded at once: a worker takes about as many, and one call of Arrow's parser sees them together.
_AT_ONCE = 64


@click.command()
@click.option("--count", default=1_000_000, show_default=True, help="Payloads.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same payloads.")
def main(count: int, seed: int) -> None:
    """Put each payload between two good ones, which must come out unchanged; nothing may be raised or vanish.

    Example: python -m tests.fuzz --count 100000
    """
    stream, began, done, things = payloads(seed), time.monotonic(), 0, 0
    told = began
    while done < count:
        chosen = list(islice(stream, min(_AT_ONCE, count - done)))
        data, kinds = [item[0] for item in chosen], [item[1] for item in chosen]
        into = TickBatch if done // _AT_ONCE % 5 == 4 else ReadingBatch
        try:
            things += hold(data, kinds, into)
        except Harmed as harm:
            click.echo(f"after {done:,} payloads of seed {seed}: {harm}\n{culprit(data, kinds, into)}", err=True)
            sys.exit(1)
        done += len(chosen)
        now = time.monotonic()
        if now - told > 5:
            told = now
            left_s = (now - began) / done * (count - done)
            click.echo(f"{done:,} of {count:,} payloads, {done / (now - began):,.0f}/s, about {left_s:.0f} s left")
    seconds = time.monotonic() - began
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(
        f"{done:,} payloads came to {things:,} rows and rejects in {seconds:.0f} s; nothing was raised, no good "
        f"payload was lost or changed; {memory_mb:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
