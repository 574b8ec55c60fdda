"""infra/compose.yaml: loopback only, no default password, the same Kafka as the local stack."""

import re
import shutil
import subprocess

import pytest

from stream.stack.java import INFRA, pom_version
from stream.stack.kafka import POM

COMPOSE = INFRA / "compose.yaml"
TEXT = COMPOSE.read_text()


def test_every_port_is_published_on_loopback_only() -> None:
    published = re.findall(r'ports: \["([^"]+)"\]', TEXT)

    assert len(published) == TEXT.count("ports:") == TEXT.count("image:")
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_password_must_be_set() -> None:
    passwords = re.findall(r"^ +\w*PASSWORD\w*: (.*)$", TEXT, flags=re.MULTILINE)

    assert len(passwords) == 4
    assert all(re.fullmatch(r"\$\{(\w+):\?set \1\}", password) for password in passwords)


def test_every_server_has_a_health_check_and_a_volume() -> None:
    assert TEXT.count("healthcheck:") == TEXT.count("image:") == 6
    assert len(re.findall(r"^  \w+:$", TEXT.split("\nvolumes:\n")[1], flags=re.MULTILINE)) == 6


def test_kafka_is_the_version_of_the_local_stack() -> None:
    assert f"image: apache/kafka:{pom_version(POM)}\n" in TEXT


@pytest.mark.parametrize(
    "file",
    [
        "mosquitto.conf",
        "prometheus/prometheus.yaml",
        "prometheus/rules",
        "postgres/grafana_login.sh",
        "grafana/provisioning",
        "grafana/dashboards",
    ],
)
def test_mounted_files_exist(file: str) -> None:
    assert f"./{file}:" in TEXT
    assert (INFRA / file).exists()


def test_the_file_is_yaml() -> None:
    yaml = pytest.importorskip("yaml")

    assert set(yaml.safe_load(TEXT)["services"]) == {"kafka", "mqtt", "postgres", "redis", "prometheus", "grafana"}


def test_docker_accepts_it() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("no docker compose here")
    secrets = {"POSTGRES_PASSWORD": "p", "GRAFANA_PASSWORD": "g", "GRAFANA_DATABASE_PASSWORD": "d"}

    subprocess.run([docker, "compose", "-f", COMPOSE, "config", "--quiet"], env=secrets, check=True)
