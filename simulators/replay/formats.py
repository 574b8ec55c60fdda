"""The file formats by name."""

from simulators.replay import dsmr_p1, green_button, mapped_csv, nem12, plain_csv, sgsc_meters, uci_household
from simulators.replay.recording import Format, UnknownFormat

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (uci_household, sgsc_meters, dsmr_p1, nem12, green_button, plain_csv, mapped_csv)
}


def find_format(name: str) -> Format:
    """Return a format.

    Raises:
        UnknownFormat: there is none of that name; the message lists those that there are.
    """
    if name not in FORMATS:
        raise UnknownFormat(name, sorted(FORMATS))
    return FORMATS[name]
