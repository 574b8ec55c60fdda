"""What a command says when it fails: the error's own words, without a stack trace and without passwords."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from schemas.errors import MeterstreamError
from stream.logs import without_password
from stream.stack.errors import StackError

P = ParamSpec("P")
R = TypeVar("R")


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors that meterstream raises on purpose into one line on standard error and exit code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (MeterstreamError, StackError) as error:
            raise click.ClickException(without_password(str(error))) from error

    return run
