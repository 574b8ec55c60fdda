import json
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from schemas.readings import ReadingBatch
from schemas.topics import MQTT_READINGS
from simulators.messages import concentrator_messages, meter_messages, topic_level


def batch(*meters: str) -> ReadingBatch:
    return ReadingBatch.from_columns(meter_number=list(meters), reading_time=range(len(meters)))


@given(name=st.text(min_size=1, max_size=50))
def test_any_name_is_one_safe_topic_level_and_can_be_read_back(name: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    level = topic_level(name)
    assert not set(level) & set("/+#\0")
    assert level.isascii()
    assert level.isprintable()
    assert unquote(level) == name


def test_ordinary_names_stay_readable() -> None:
    assert topic_level("UCI-1") == "UCI-1"
    assert topic_level("a/b+c#d%") == "a%2Fb%2Bc%23d%25"


def test_each_reading_goes_to_the_topic_of_its_meter_with_its_true_name_inside() -> None:
    messages = meter_messages(batch("A", "x/y", "A"))
    assert [message.topic for message in messages] == ["meters/A/reading", "meters/x%2Fy/reading", "meters/A/reading"]
    assert [json.loads(message.payload)["meter_number"] for message in messages] == ["A", "x/y", "A"]
    assert all(topic_matches_sub(MQTT_READINGS[0], message.topic) for message in messages)


def test_arrays_hold_every_reading_in_order() -> None:
    messages = concentrator_messages(batch(*"ABCDE"), "north 1", per_message=2)
    assert [message.readings for message in messages] == [2, 2, 1]
    assert [item["meter_number"] for message in messages for item in json.loads(message.payload)] == list("ABCDE")
    assert {message.topic for message in messages} == {"concentrators/north 1/readings"}
    assert topic_matches_sub(MQTT_READINGS[1], messages[0].topic)


def test_no_readings_are_no_messages() -> None:
    assert meter_messages(batch()) == concentrator_messages(batch(), "c") == []
