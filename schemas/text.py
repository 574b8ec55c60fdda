"""Text that every system we write to can hold."""

from typing import Annotated

from pydantic import Field

#: PostgreSQL text cannot hold NUL.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


def storable(text: str) -> str:
    """Return a text with what no database can hold made visible: NUL, and halves of characters."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
