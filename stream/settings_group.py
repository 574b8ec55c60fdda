"""What every group of settings is: frozen, and strict about names."""

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """A group of settings; one that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
