"""HiveMQ Community Edition, from the jars that infra/mqtt/pom.xml names."""

from stream.stack.endpoints import LOOPBACK
from stream.stack.java import INFRA, STOP_TIMEOUT_S, find_java, resolve_jars
from stream.stack.layout import Layout
from stream.stack.process import Launch
from stream.stack.server import Report
from stream.stack.settings import StackSettings

POM = INFRA / "mqtt" / "pom.xml"
BROKER = INFRA / "mqtt" / "Broker.java"
LOGGING = INFRA / "mqtt" / "logback.xml"

#: As Mosquitto's; what one publisher may have on its way. For subscribers Broker.java says the same.
RECEIVE_MAXIMUM = 1_000
#: HiveMQ has no "unbounded"; this is more than a disk of meter readings.
QUEUED_MESSAGES = 1_000_000_000


def render_config(port: int) -> str:
    """Return config.xml: loopback only, sessions on disk, no message dropped, no word sent home."""
    return f"""\
<?xml version="1.0"?>
<hivemq>
  <listeners>
    <tcp-listener>
      <port>{port}</port>
      <bind-address>{LOOPBACK}</bind-address>
    </tcp-listener>
  </listeners>
  <mqtt>
    <queued-messages>
      <max-queue-size>{QUEUED_MESSAGES}</max-queue-size>
    </queued-messages>
    <receive-maximum>
      <server-receive-maximum>{RECEIVE_MAXIMUM}</server-receive-maximum>
    </receive-maximum>
  </mqtt>
  <persistence>
    <mode>file</mode>
  </persistence>
  <anonymous-usage-statistics>
    <enabled>false</enabled>
  </anonymous-usage-statistics>
</hivemq>
"""


def prepare(layout: Layout, settings: StackSettings, port: int, report: Report) -> Launch:
    """Resolve the jars, write the configuration and return how to start the broker."""
    jars = resolve_jars(POM, settings.cache, report)
    home = layout.data("hivemq")
    for folder in ("conf", "data", "extensions"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "conf" / "config.xml").write_text(render_config(port))
    report("starting")
    argv = find_java().server(
        jars,
        # Janino compiles the source in memory: `java Broker.java` would need a whole JDK.
        *("org.codehaus.janino.SimpleCompiler", str(BROKER), "Broker", str(home)),
        heap=settings.mqtt_heap,
        scratch=layout.scratch("mqtt"),
        options=(
            *("-XX:+UseSerialGC", f"-Dlogback.configurationFile={LOGGING}"),
            *settings.java_options.split(),
        ),
    )
    return Launch(argv=argv, directory=home, stop_timeout_s=STOP_TIMEOUT_S)
