"""`python -m stream.cli`: the `meterstream` command where its script is not on PATH."""

from stream.cli import main

main()
