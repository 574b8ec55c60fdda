"""The registry: where a meter stands in the grid."""

from pydantic import BaseModel, ConfigDict, Field

from schemas.readings import MeterNumber
from schemas.text import Text


class RegistryEntry(BaseModel):
    """One meter, as one JSON object per record of the compacted registry topic, keyed by meter number.

    A newer entry replaces an older one; an element above the meter that is not known is null.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    meter_number: MeterNumber = Field(description="as in its readings")
    transformer: Text | None = Field(
        default=None, max_length=50, description="what feeds the meter; windows are summed by it"
    )
    feeder: Text | None = Field(default=None, max_length=50, description="what feeds the transformer")
    substation: Text | None = Field(default=None, max_length=50, description="what feeds the feeder")
    region: Text | None = Field(default=None, max_length=50, description="where the substation stands")
    zone: Text | None = Field(
        default=None,
        max_length=101,
        pattern=r"^[^/]+/[^/]+$",
        description="market and symbol whose settlement price the region pays, such as `aemo_nem/NSW1`",
    )
    customer_class: Text | None = Field(default=None, max_length=50, alias="class", description="such as `residential`")
    status: Text = Field(default="active", max_length=50, description="such as `active`")
