"""Missing data: what a meter sent in an hour, less than was expected of it."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class MissingData(BaseModel):
    """One meter and hour; it comes again whenever readings of the hour have come late, at last with none missing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    meter_number: str
    transformer: str | None = Field(description="what feeds the meter, where the registry says")
    hour: AwareDatetime = Field(description="begin of the hour")
    expected: int = Field(ge=0, description="readings that the meter usually sends in an hour")
    received: int = Field(ge=0, description="readings of the hour that are stored")
