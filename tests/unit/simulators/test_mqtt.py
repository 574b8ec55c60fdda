import ssl

import pytest

from schemas.errors import ConfigurationError
from simulators.mqtt import Address, MqttTransport
from simulators.transport import Message, Stopped


def test_an_address_is_read_from_a_url() -> None:
    assert Address.from_url("mqtt://broker") == Address("broker", 1883)
    assert Address.from_url("mqtt://me:p%40ss@broker:99") == Address("broker", 99, "me", "p@ss")
    secure = Address.from_url("mqtts://broker")
    assert secure.port == 8883
    assert isinstance(secure.tls, ssl.SSLContext)


@pytest.mark.parametrize("url", ["broker:1883", "http://me:secret@broker", "mqtt://", "mqtt://secret@broker:notaport"])
def test_what_is_no_mqtt_url_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Address.from_url(url)
    assert "secret" not in str(caught.value)


def test_a_password_does_not_show() -> None:
    assert "secret" not in repr(Address("broker", 1883, "me", "secret"))


def test_without_a_broker_it_says_so_once_and_waits_until_stopped() -> None:
    told = list[str]()
    asked = list[bool]()

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 3

    transport = MqttTransport(Address("127.0.0.1", 1), "nobody", stop=stop, tell=told.append)
    with pytest.raises(Stopped):
        transport.publish(Message("t", b"{}", 1))
    transport.close()
    assert len(told) == 1
    assert "127.0.0.1:1 is away" in told[0]
    assert transport.outstanding == 0
