r"""Dutch smart meter, P1 port (DSMR 4 and 5): one telegram a second, from a serial log or a table of telegrams.

The log (`/` header to `!` checksum, lines ended by LF or CR LF) may begin and end inside a telegram. The table has one
telegram per row, a column per OBIS code with the text between the brackets (`|` between several), and `crc`; each row
is put together again as it was on the wire. Both ways each telegram's CRC16 must hold. What becomes of it:

- `register_kwh` is 1.8.1 + 1.8.2, the import registers of both tariffs;
- `demand_kw` is 1.7.0, the power drawn on all phases;
- `voltage` and `current_amps` are those of phase L1, `voltage_l2` to `current_l3_amps` those of the others, null where
  the meter has one phase; `phase` stays null because register and demand belong to all of them. Current comes in whole
  amperes;
- `consumption_kwh` stays null: the meter counts, it does not measure intervals. So do `export_kwh` (2.8.x are
  registers) and `power_factor`;
- `meter_number` is the equipment identifier 0-0:96.1.1 (hex-coded text), unless `--meter` names it; without either it
  is DSMR-1. The time stamp carries its offset: W is UTC+1, S is UTC+2.
"""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.layout import Floats
from schemas.readings import ReadingBatch
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable, Rows, count_rows
from simulators.replay.lines import blocks, count_lines, open_file
from simulators.replay.recording import Findings, Format, NotThisFormat, Options
from simulators.replay.telegrams import MOST_BYTES, Framer, Telegram, verify

METER = "DSMR-1"

_STAMP, _IDENTITY = "0-0:1.0.0", "0-0:96.1.1"
_CLOCK = r"^(?P<Y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})$"
_HOUR_US = 3_600_000_000
_WH_PER_KWH = 1_000


def read(path: Path, options: Options, findings: Findings) -> Iterator[ReadingBatch]:
    """Yield the readings of a log or a table.

    Raises:
        NotThisFormat: there is no telegram in it.
    """
    with open_file(path) as file:
        is_table = b"," + _STAMP.encode() + b"," in file.readline(MOST_BYTES)
    for telegrams in _from_table(path, findings) if is_table else _from_log(path, findings):
        good = verify(telegrams, findings)
        if good:
            yield _readings(good, options, findings)


def _from_log(path: Path, findings: Findings) -> Iterator[list[Telegram]]:
    framer = Framer(findings)
    for block in blocks(path, findings):
        yield framer.feed(block)
    framer.finish()
    if not framer.begun:
        raise NotThisFormat(
            path, "no line begins a telegram with '/'; this is neither a P1 log nor a table of telegrams"
        )


def _from_table(path: Path, findings: Findings) -> Iterator[list[Telegram]]:
    table = CsvTable.open(path, ",", ["header", "crc", _STAMP])
    for rows in table.rows(table.header, findings):
        yield _as_sent(rows)


def _as_sent(rows: Rows) -> list[Telegram]:
    codes = [name for name in rows.columns if name not in {"header", "crc"}]
    bodies = [pc.replace_substring(rows.columns[code], "|", ")(") for code in codes]
    lines = [
        pc.binary_join_element_wise(f"{code}(", body, ")\r\n", "") for code, body in zip(codes, bodies, strict=True)
    ]
    texts = pc.binary_join_element_wise(rows.columns["header"], "\r\n\r\n", *lines, "!", "")
    crcs = rows.columns["crc"].cast(pa.binary()).to_pylist()
    return [
        Telegram(line, text, crc)
        for line, text, crc in zip(rows.lines.tolist(), texts.cast(pa.binary()).to_pylist(), crcs, strict=True)
    ]


def _readings(telegrams: list[Telegram], options: Options, findings: Findings) -> ReadingBatch:
    texts = pa.array([telegram.text.decode("latin-1") for telegram in telegrams], pa.string())
    check = Checker(np.array([telegram.line for telegram in telegrams], dtype=np.int64))
    stamps = _value(texts, _STAMP, r"\d{12}[WS]")
    clock = pc.fill_null(pc.binary_join_element_wise("20", pc.utf8_slice_codeunits(stamps, 0, 12), ""), "")
    summer = pc.fill_null(pc.ends_with(stamps, "S"), False).to_numpy(zero_copy_only=False)
    times = check.clock_times(f"the time stamp {_STAMP}", clock, _CLOCK, UTC) - _HOUR_US * (1 + summer)
    batch = ReadingBatch.from_columns(
        meter_number=_meters(texts, options),
        reading_time=times,
        demand_kw=_number(texts, "1-0:1.7.0", "kW"),
        voltage=_number(texts, "1-0:32.7.0", "V"),
        current_amps=_number(texts, "1-0:31.7.0", "A"),
        voltage_l2=_number(texts, "1-0:52.7.0", "V"),
        voltage_l3=_number(texts, "1-0:72.7.0", "V"),
        current_l2_amps=_number(texts, "1-0:51.7.0", "A"),
        current_l3_amps=_number(texts, "1-0:71.7.0", "A"),
        register_kwh=_register(texts),
    )
    return batch.where(check.report(findings))


def _value(texts: pa.Array, code: str, pattern: str) -> pa.Array:
    """Return what stands in the brackets of one code, null where the code or the pattern is absent."""
    found = pc.extract_regex(texts, rf"\r\n{code.replace('.', '[.]')}\((?P<value>{pattern})[)*]")
    return pc.struct_field(found, "value")


def _number(texts: pa.Array, code: str, unit: str) -> Floats:
    found = pc.extract_regex(texts, rf"\r\n{code.replace('.', '[.]')}\((?P<value>\d+(?:\.\d+)?)[*]{unit}\)")
    numbers: Floats = pc.struct_field(found, "value").cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _register(texts: pa.Array) -> Floats:
    """Return 1.8.1 + 1.8.2 [kWh], added as whole watt-hours: in floating kWh the sum would grow a tail of digits."""
    tariffs = np.stack([_number(texts, code, "kWh") for code in ("1-0:1.8.1", "1-0:1.8.2")])
    total: Floats = np.rint(tariffs * _WH_PER_KWH).sum(axis=0) / _WH_PER_KWH
    return total


def _meters(texts: pa.Array, options: Options) -> pa.Array:
    if options.meter:
        return pa.repeat(options.meter, len(texts))
    coded = _value(texts, _IDENTITY, "(?:[0-9A-Fa-f]{2}){1,48}").dictionary_encode()
    names = [bytes.fromhex(code).decode("latin-1") for code in coded.dictionary.to_pylist()]
    plain = pa.array([name if name.isprintable() else None for name in names], pa.string())
    return pc.fill_null(plain.take(coded.indices), METER)


def _count(path: Path) -> int:
    return count_lines(path, start=b"/") or count_rows(path)


FORMAT = Format(
    name="dsmr_p1",
    summary="Dutch P1 port: serial log of telegrams, or a table of them, checksums verified",
    read=read,
    in_order=True,
    count=_count,
)
