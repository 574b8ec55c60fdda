"""The catalogue of faults: what each happens to, where in a reading's life it acts, and how large it can be."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class FaultClass(StrEnum):
    """What can go wrong; the names stand in profiles, labels and scores."""

    MISSING = "missing"
    DUPLICATE = "duplicate"
    REORDERED = "reordered"
    LATE = "late"
    GARBAGE = "garbage"
    STORM = "storm"
    METER_OUTAGE = "meter_outage"
    CLOCK_DRIFT = "clock_drift"
    SPIKE = "spike"
    STUCK = "stuck"
    NEGATIVE = "negative"
    REGISTER_ROLLOVER = "register_rollover"
    REGISTER_RESET = "register_reset"
    UNIT_CHANGE = "unit_change"
    SAG = "sag"
    SWELL = "swell"
    ZERO = "zero"
    THEFT = "theft"
    REVERSED_POLARITY = "reversed_polarity"
    OVERLOAD = "overload"
    TRANSFORMER_OUTAGE = "transformer_outage"
    FEEDER_OUTAGE = "feeder_outage"
    WRONG_TRANSFORMER = "wrong_transformer"
    PRICE_SPIKE = "price_spike"
    FAT_FINGER = "fat_finger"
    STALE_FEED = "stale_feed"
    SPOOFED_DEPTH = "spoofed_depth"
    DECOUPLED = "decoupled"


class Element(StrEnum):
    """What a fault happens to."""

    METER = "meter"
    TRANSFORMER = "transformer"
    FEEDER = "feeder"
    SYMBOL = "symbol"


class Stage(Enum):
    """Where in a reading's life a fault acts, in this order."""

    LOAD = "changes what customers draw"
    METERING = "changes what meters count"
    DISPLAY = "changes what meters show"
    TRANSPORT = "changes what arrives, and when"
    REGISTRY = "changes what is written down about a meter"
    MARKET = "changes what a market publishes"


@dataclass(frozen=True)
class Fault:
    """One class of faults.

    Attributes:
        about: what it is.
        element: what it happens to.
        stage: where it acts.
        minutes: shortest and longest duration where a profile says nothing [min].
        size: smallest and largest size where a profile says nothing, in `unit`.
        unit: of the size.
        limits: what a profile may ask for, in `unit`.
    """

    about: str
    element: Element
    stage: Stage
    minutes: tuple[float, float]
    size: tuple[float, float]
    unit: str
    limits: tuple[float, float]


_M, _T, _F, _S = Element.METER, Element.TRANSFORMER, Element.FEEDER, Element.SYMBOL
_DAY = 1_440.0

CATALOGUE: dict[FaultClass, Fault] = {
    FaultClass.MISSING: Fault(
        "readings never arrive", _M, Stage.TRANSPORT, (15, 120), (1, 1), "share", (1, 1)
    ),
    FaultClass.DUPLICATE: Fault(
        "readings arrive several times", _M, Stage.TRANSPORT, (15, 60), (1, 3), "copies", (1, 100)
    ),
    FaultClass.REORDERED: Fault(
        "readings overtake each other", _M, Stage.TRANSPORT, (60, 180), (1_000, 4_000), "s", (1, 86_400)
    ),
    FaultClass.LATE: Fault(
        "readings arrive long after their time", _M, Stage.TRANSPORT, (15, 240), (1_800, 21_600), "s", (1, 31 * 86_400)
    ),
    FaultClass.GARBAGE: Fault(
        "bytes arrive that are no reading", _M, Stage.TRANSPORT, (15, 60), (8, 400), "bytes", (1, 100_000)
    ),
    FaultClass.STORM: Fault(
        "all meters of a transformer send the same again and again", _T, Stage.TRANSPORT, (15, 30), (5, 20), "copies",
        (1, 1_000),
    ),
    FaultClass.METER_OUTAGE: Fault(
        "a meter is silent and goes on counting", _M, Stage.TRANSPORT, (240, 2 * _DAY), (1, 1), "share", (1, 1)
    ),
    FaultClass.CLOCK_DRIFT: Fault(
        "a meter's clock runs fast (positive) or slow", _M, Stage.TRANSPORT, (_DAY, 7 * _DAY), (60, 600), "s/day",
        (-7_200, 7_200),
    ),
    FaultClass.SPIKE: Fault(
        "one reading shows many times the energy", _M, Stage.DISPLAY, (1, 1), (8, 40), "factor", (1.5, 10_000)
    ),
    FaultClass.STUCK: Fault(
        "a meter shows the same reading over and over", _M, Stage.DISPLAY, (240, _DAY), (1, 1), "share", (1, 1)
    ),
    FaultClass.NEGATIVE: Fault(
        "energy shows with the wrong sign", _M, Stage.DISPLAY, (1, 60), (-1, -1), "factor", (-1, -1)
    ),
    FaultClass.REGISTER_ROLLOVER: Fault(
        "the register passes its last digit and starts at zero", _M, Stage.DISPLAY, (1, 1), (1, 1), "share", (1, 1)
    ),
    FaultClass.REGISTER_RESET: Fault(
        "the register starts again at zero", _M, Stage.DISPLAY, (1, 1), (1, 1), "share", (1, 1)
    ),
    FaultClass.UNIT_CHANGE: Fault(
        "voltage comes in dV (size 10) or energy in Wh (size 1000)", _M, Stage.DISPLAY, (240, 3 * _DAY), (10, 1_000),
        "factor", (10, 1_000),
    ),
    FaultClass.SAG: Fault(
        "voltage of a transformer's customers is low", _T, Stage.DISPLAY, (15, 60), (0.87, 0.905), "of usual",
        (0.5, 0.97),
    ),
    FaultClass.SWELL: Fault(
        "voltage of a transformer's customers is high", _T, Stage.DISPLAY, (15, 60), (1.09, 1.115), "of usual",
        (1.03, 1.5),
    ),
    FaultClass.ZERO: Fault(
        "a meter counts nothing while voltage is there", _M, Stage.METERING, (360, 3 * _DAY), (1, 1), "share", (1, 1)
    ),
    FaultClass.THEFT: Fault(
        "a bypass takes part of the energy past the meter", _M, Stage.METERING, (3 * _DAY, 30 * _DAY), (0.3, 0.9),
        "share", (0.01, 1),
    ),
    FaultClass.REVERSED_POLARITY: Fault(
        "a meter counts what is drawn as fed in", _M, Stage.METERING, (_DAY, 7 * _DAY), (1, 1), "share", (1, 1)
    ),
    FaultClass.OVERLOAD: Fault(
        "customers of a transformer draw more than it is built for", _T, Stage.LOAD, (120, 480), (1.2, 1.6),
        "of rating", (0.5, 3),
    ),
    FaultClass.TRANSFORMER_OUTAGE: Fault(
        "a transformer is without power", _T, Stage.LOAD, (30, 240), (1, 1), "share", (1, 1)
    ),
    FaultClass.FEEDER_OUTAGE: Fault(
        "a feeder is without power and comes back transformer by transformer", _F, Stage.LOAD, (45, 360), (1, 1),
        "share", (1, 1),
    ),
    FaultClass.WRONG_TRANSFORMER: Fault(
        "the registry names another transformer of the feeder", _M, Stage.REGISTRY, (1, 1), (1, 1), "share", (1, 1)
    ),
    FaultClass.PRICE_SPIKE: Fault(
        "a symbol's price jumps, as far as its cap lets it", _S, Stage.MARKET, (5, 60), (8, 40), "of usual price",
        (1.5, 10_000),
    ),
    FaultClass.FAT_FINGER: Fault(
        "one trade is at many times the price around it", _S, Stage.MARKET, (1, 1), (5, 100), "factor", (1.5, 10_000)
    ),
    FaultClass.STALE_FEED: Fault(
        "a feed says the same again and again, under new times", _S, Stage.MARKET, (30, 240), (1, 1), "share", (1, 1)
    ),
    FaultClass.SPOOFED_DEPTH: Fault(
        "orders that nobody means fill one side of the book", _S, Stage.MARKET, (2, 20), (10, 50), "factor",
        (2, 10_000),
    ),
    FaultClass.DECOUPLED: Fault(
        "a symbol's price goes its own way, whatever its market, demand and renewables do", _S, Stage.MARKET,
        (120, 720), (0.6, 2), "of usual price", (0.1, 100),
    ),
}  # fmt: skip

#: Numbers of the classes in event columns.
CLASSES = tuple(FaultClass)
#: What can happen to a fleet, and what to a market.
MARKET_CLASSES = frozenset(fault for fault, spec in CATALOGUE.items() if spec.element is Element.SYMBOL)
FLEET_CLASSES = frozenset(CLASSES) - MARKET_CLASSES
NUMBER = {fault: number for number, fault in enumerate(CLASSES)}
