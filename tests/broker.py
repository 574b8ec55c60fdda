"""What the local stack's MQTT broker can promise."""

from stream.stack.stack import LocalStack


def forgets(stack: LocalStack) -> str | None:
    """Return why a broker that is killed may lose what it acknowledged, None for one that must not."""
    product = stack.status().server("mqtt").product
    if product.startswith("Mosquitto"):
        return "Mosquitto writes its store every 5 s: a kill takes what it acknowledged since"
    return None
