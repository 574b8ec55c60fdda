"""Errors of commands: one line that names what is wrong, and no password."""

import click
import pytest
from click.testing import CliRunner

from schemas.errors import ConfigurationError
from stream.cli.errors import plain_errors
from stream.stack.errors import StackError


@pytest.mark.parametrize(
    "error", [ConfigurationError("set it"), StackError("set it")], ids=lambda error: type(error).__name__
)
def test_an_error_on_purpose_is_one_line_and_exit_code_1(error: Exception) -> None:
    @click.command()
    @plain_errors
    def command() -> None:
        raise error

    answer = CliRunner().invoke(command)
    assert answer.exit_code == 1
    assert answer.output == "Error: set it\n"


def test_passwords_are_struck_out() -> None:
    @click.command()
    @plain_errors
    def command() -> None:
        raise ConfigurationError("cannot reach postgresql://me:secret@host/db")

    assert "secret" not in CliRunner().invoke(command).output


def test_other_errors_are_faults_of_ours_and_stay_whole() -> None:
    @click.command()
    @plain_errors
    def command() -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(command).exception, ZeroDivisionError)
