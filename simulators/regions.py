"""The regions that a simulated grid covers: where they lie, which clock and holidays they keep, how warm they are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """One supply region.

    Attributes:
        name: as in the registry.
        latitude: of its middle [degree north].
        longitude: of its middle [degree east].
        altitude_m: above the sea [m].
        timezone: IANA name of its clock.
        country: ISO 3166 code, for holidays.
        subdivision: ISO 3166-2 part, for regional holidays.
        mean_c: yearly mean temperature [degree Celsius].
        swing_c: half the difference between the warmest and the coldest month [K].
        cloudiness: mean share of clear-sky energy that clouds take.
    """

    name: str
    latitude: float
    longitude: float
    altitude_m: float
    timezone: str
    country: str
    subdivision: str
    mean_c: float
    swing_c: float
    cloudiness: float


#: Temperatures: DWD climate normals 1991-2020 of the named stations, rounded; cloudiness from their sunshine hours.
REGIONS = (
    Region("north", 53.63, 9.99, 11, "Europe/Berlin", "DE", "HH", 9.9, 8.6, 0.46),
    Region("east", 52.47, 13.40, 48, "Europe/Berlin", "DE", "BE", 10.6, 9.8, 0.42),
    Region("west", 50.87, 7.16, 92, "Europe/Berlin", "DE", "NW", 10.7, 8.5, 0.44),
    Region("middle", 50.03, 8.52, 100, "Europe/Berlin", "DE", "HE", 11.0, 9.3, 0.42),
    Region("south", 48.16, 11.54, 515, "Europe/Berlin", "DE", "BY", 10.3, 9.6, 0.40),
    Region("southwest", 48.83, 9.20, 314, "Europe/Berlin", "DE", "BW", 10.9, 9.2, 0.39),
    Region("centre-east", 51.13, 13.75, 228, "Europe/Berlin", "DE", "SN", 9.8, 9.6, 0.42),
    Region("coast", 54.18, 12.08, 4, "Europe/Berlin", "DE", "MV", 9.9, 8.7, 0.44),
)
