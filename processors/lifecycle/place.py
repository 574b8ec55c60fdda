"""Where an element stands in the grid."""

from dataclasses import dataclass

#: From what feeds much to what feeds little.
LEVELS = ("substation", "feeder", "transformer")


@dataclass(frozen=True)
class Place:
    """What feeds a meter, as the registry says; None where it does not.

    Attributes:
        region: where the substation stands.
        substation: what feeds the feeder.
        feeder: what feeds the transformer.
        transformer: what feeds the meter.
    """

    region: str | None = None
    substation: str | None = None
    feeder: str | None = None
    transformer: str | None = None


NOWHERE = Place()
