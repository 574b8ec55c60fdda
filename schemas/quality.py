"""Quality flags of stored readings."""

from enum import StrEnum


class QualityFlag(StrEnum):
    """What the engine thinks of a stored reading; the position in this list is its code in columns."""

    NORMAL = "normal"
    WARNING = "warning"
    ANOMALY = "anomaly"
    MISSING = "missing"


FLAGS = tuple(QualityFlag)
NORMAL, WARNING, ANOMALY, MISSING = range(4)
