"""Settings that say when something is wrong with the grid."""

from typing import Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from processors.energy_balance import BalanceRules
from processors.imbalance import ImbalanceRules
from processors.loading import LoadingRules
from processors.outages import OutageRules
from stream.settings_group import Group


class OutageSettings(Group):
    """When an element of the grid is without power; `processors.outages.OutageRules` says why so."""

    share: float = Field(default=0.65, gt=0, le=1, description="of its meters, dark at the same moment")
    least: int = Field(default=2, ge=2, description="so many meters at least")
    parts: float = Field(
        default=0.8, gt=0, le=1, description="of the elements below it, each with half its meters dark"
    )
    told: float = Field(
        default=0.1, ge=0, le=1, description="of a region's meters, by their own word; else its feed failed"
    )
    left: float = Field(default=0.05, ge=0, lt=1, description="of its meters, that may never come back")
    slack_s: NonNegativeInt = Field(default=60, description="how far clocks of meters may be apart [s]")
    settle_s: float = Field(
        default=10.0, ge=0, description="what comes within so short a time is explained together [s]"
    )

    @property
    def rules(self) -> OutageRules:
        """The same for the processors."""
        return OutageRules(**self.model_dump(exclude={"settle_s"}))


class GridSettings(Group):
    """When something is wrong with a transformer; `processors` (loading, energy_balance, imbalance) say why so."""

    overload_begin: float = Field(default=1.0, gt=0, description="load over rating at which an overload begins")
    overload_end: float = Field(default=0.9, gt=0, description="and below which it is over, for an hour")
    overload_hold: PositiveInt = Field(default=2, description="quarter-hours in a row that it takes")
    ambient_c: float = Field(default=30.0, description="air around transformers, to follow their oil [degree Celsius]")
    unaccounted_share: float = Field(
        default=0.07, gt=0, lt=1, description="of what a transformer supplies in a day, in no meter beyond its losses"
    )
    unaccounted_hold: PositiveInt = Field(default=6, description="complete hours for which that has to hold [h]")
    imbalance_begin: float = Field(default=0.02, gt=0, lt=1, description="voltage of a phase off the mean of the three")
    imbalance_end: float = Field(default=0.015, gt=0, lt=1, description="and below which phases are in balance")

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.overload_end > self.overload_begin or self.imbalance_end > self.imbalance_begin:
            raise ValueError("what ends above where it begins would never rest")
        return self

    @property
    def loading(self) -> LoadingRules:
        """The same for the processors."""
        return LoadingRules(self.overload_begin, self.overload_end, self.overload_hold, ambient_c=self.ambient_c)

    @property
    def balance(self) -> BalanceRules:
        """The same for the processors."""
        return BalanceRules(share=self.unaccounted_share, hold=self.unaccounted_hold)

    @property
    def imbalance(self) -> ImbalanceRules:
        """The same for the processors."""
        return ImbalanceRules(self.imbalance_begin, self.imbalance_end)
