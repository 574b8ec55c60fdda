"""Why a model was not taken."""

from schemas.errors import MeterstreamError


class ModelRefused(MeterstreamError):
    """A model cannot be used as it is; whatever served before goes on serving.

    Args:
        model: which one.
        reason: what is wrong with it.
    """

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"model {model} is refused: {reason}")
        self.model = model
        self.reason = reason
