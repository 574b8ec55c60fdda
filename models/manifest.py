"""What is written down about a model: what it is, what it was fitted on, how well it does, how to tell it is whole."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

#: Of the folder's layout and of this manifest. A newer one is refused.
FORMAT_VERSION = 2


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kind(StrEnum):
    """What kind of model it is."""

    ISOLATION_FOREST = "isolation_forest"


class Data(_Part):
    """What a model was fitted on."""

    source: str = Field(description="where it came from, as the trainer named it")
    readings: int = Field(ge=0, description="how many, those that calibrate included")
    meters: int = Field(ge=0, description="of how many meters")
    start: AwareDatetime = Field(description="of the first reading")
    fitted_until: AwareDatetime = Field(description="readings up to here fitted the forest")
    calibrated_until: AwareDatetime = Field(description="readings from there up to here calibrated it")
    end: AwareDatetime = Field(description="of the last reading; those since the calibration gave the metrics")
    sha256: str = Field(description="of the readings, in the order in which they were taken")


class Calibration(_Part):
    """From the forest's own score to the share of healthy readings that reach it, by size of the meter.

    A forest over all meters finds the large ones strange; a reading is therefore compared with those of meters that
    use about as much.
    """

    size_edges_kw: list[float] = Field(description="mean power of a day [kW] that parts the groups, rising")
    shares: list[float] = Field(description="share of readings that score higher, falling")
    thresholds: list[list[float]] = Field(description="by group, then share: the score that this share exceeds")


class ClassProfile(_Part):
    """What meters of a class do on their first day, when nothing is known of them but their class."""

    meter_class: str = Field(description="as in the registry; `unknown` stands for all")
    shape: list[float] = Field(description="power by hour of the working day, then of the weekend, over the mean (UTC)")
    calibration: Calibration = Field(description="of the logarithm of power over what level and shape expect")


class Reference(_Part):
    """How features and scores were distributed in what a model was trained on, to tell when that has changed."""

    edges: dict[str, list[float]] = Field(description="by feature, and of the score: what parts its bins, rising")
    shares: dict[str, list[float]] = Field(description="by the same: share of each bin, what is not known last")


class Probe(_Part):
    """Readings whose scores are known: a forest that no longer gives them is not the one that was stored."""

    rows: list[list[float | None]] = Field(description="features, null where unknown")
    scores: list[float] = Field(description="the forest's own score of each")


class Manifest(_Part):
    """One version of one model."""

    format_version: int = Field(description="of this file and its folder")
    name: str
    version: str
    kind: Kind
    features: list[str] = Field(description="in the order of the matrix")
    fill: list[float] = Field(description="what stands for a feature that a reading does not have")
    holidays: list[int] = Field(description="days since 1970-01-01 that count as holidays, rising")
    data: Data
    parameters: dict[str, int | float | str]
    calibration: Calibration
    reference: Reference | None = Field(default=None, description="none in models of format 1: their drift is not told")
    classes: list[ClassProfile] = Field(default_factory=list, description="none in models of format 1")
    metrics: dict[str, float]
    libraries: dict[str, str] = Field(description="versions that fitted it")
    trained_at: AwareDatetime
    probe: Probe
    model_bytes: int = Field(ge=0)
    model_sha256: str = Field(description="of the model file")


class FormatVersion(BaseModel):
    """The one field that every manifest has, whatever its format."""

    format_version: int
