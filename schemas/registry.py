"""The registry: where a meter stands in the grid."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from schemas.readings import MeterNumber
from schemas.text import Text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}; write Europe/Amsterdam or UTC") from None
    return name


class RegistryEntry(BaseModel):
    """One meter, as one JSON object per record of the compacted registry topic, keyed by meter number.

    A newer entry replaces an older one; an element above the meter that is not known is null. The places of a meter are
    kept with the times from which they held. A record without a value says that the meter is gone.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    meter_number: MeterNumber = Field(description="as in its readings")
    transformer: Text | None = Field(
        default=None, max_length=50, description="what feeds the meter; windows are summed by it"
    )
    feeder: Text | None = Field(default=None, max_length=50, description="what feeds the transformer")
    transformer_kva: float | None = Field(
        default=None, gt=0, le=1e6, allow_inf_nan=False, description="rating of the transformer [kVA]"
    )
    phase: Literal["L1", "L2", "L3", "L1L2L3"] | None = Field(
        default=None, description="what the meter is connected to, where that is known"
    )
    substation: Text | None = Field(default=None, max_length=50, description="what feeds the feeder")
    region: Text | None = Field(default=None, max_length=50, description="where the substation stands")
    zone: Text | None = Field(
        default=None,
        max_length=101,
        pattern=r"^[^/]+/[^/]+$",
        description="market and symbol whose settlement price the region pays, such as `aemo_nem/NSW1`",
    )
    timezone: Annotated[Text, AfterValidator(_zone)] | None = Field(
        default=None, max_length=50, description="IANA name of the region's clock, by which its days are; else UTC"
    )
    customer_class: Text | None = Field(
        default=None,
        max_length=50,
        alias="class",
        pattern=r"^[^\x00*]+$",
        description="such as `residential`; `transformer` is the meter of the transformer itself, which is no customer",
    )
    status: Text = Field(default="active", max_length=50, description="such as `active`")
    valid_from: AwareDatetime | None = Field(
        default=None,
        description="since when the meter is of this transformer and class; else since the entry came, or, of a meter "
        "never heard of before, since ever",
    )
