"""Apache Kafka itself, a few small brokers on this machine: for tests, soak and development.

As a program: ``python -m tests.support.kafka --port 9092`` serves until it is interrupted.
"""

from __future__ import annotations

import argparse
import base64
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.certificates import make_certificates
from tests.support.java.jars import JavaMissingError, fetch
from tests.support.process import ServerError, ServerProcess, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.support.certificates import Certificates

USER, PASSWORD = "driftline", "correct horse"
"""Who may pass a SASL listener."""

START_TIMEOUT_S = 180.0
_STARTED = "Kafka Server started"
_QUICK_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -XX:-UsePerfData".split()

# Small and quick: what a broker for thousands of clients needs is left out, and what tests wait for is short.
_SETTINGS = """
auto.create.topics.enable=false
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
log.index.size.max.bytes=1048576
offsets.topic.num.partitions=4
offsets.load.buffer.size=1048576
transaction.state.log.num.partitions=2
share.coordinator.state.topic.num.partitions=1
controlled.shutdown.max.retries=1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
group.coordinator.rebalance.protocols=classic,consumer
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=200
group.consumer.heartbeat.interval.ms=1000
"""
_LOGGING = """
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n%throwable
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server
logger.server.level=info
logger.config.name=kafka.server.KafkaConfig
logger.config.level=warn
logger.groups.name=org.apache.kafka.coordinator.group
logger.groups.level=info
"""


class Kafka:
    """A cluster of brokers, numbered from 1, all on 127.0.0.1. Its data and logs are in one folder.

    A method that takes a broker's number does it to every broker where none is given. Brokers keep their
    ports and data for as long as this object lives, however they ended. Each broker of an odd number is also
    a controller; of two, the first alone is, so that the second may be killed.

    Args:
        folder: for data, settings and logs; a cluster that was there before goes on.
        brokers: how many.
        port: of the first broker, the others follow; free ports where none is given.
        certificates: with them, brokers listen for TLS and for SASL over TLS as well.
        settings: of the brokers, which replace those chosen here.
        heap_mib: of each broker.

    Raises:
        JavaMissingError: Kafka can't run here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        brokers: int = 1,
        port: int | None = None,
        certificates: Certificates | None = None,
        settings: Mapping[str, str] | None = None,
        heap_mib: int = 256,
    ) -> None:
        self._folder = folder
        self._jars = fetch("kafka")
        self._numbers = range(1, brokers + 1)
        self._voters = self._numbers[: brokers - (brokers % 2 == 0)]
        self._certificates = certificates
        self._settings = dict(settings or {})
        names = ["PLAINTEXT", "CONTROLLER", *(["SSL", "SASL_SSL"] if certificates else [])]
        ports = free_ports(brokers * len(names)) if port is None else range(port, port + brokers * len(names))
        self._ports = {name: ports[at * brokers : (at + 1) * brokers] for at, name in enumerate(names)}
        java = ["java", f"-Xmx{heap_mib}m", *_QUICK_JAVA, "-cp", f"{self._jars}/*"]
        self._java = [*java, f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"]
        self._processes = {
            number: ServerProcess(
                f"broker {number}",
                [*self._java, "kafka.Kafka", str(self._settings_file(number))],
                folder / f"broker-{number}.log",
            )
            for number in self._numbers
        }

    @property
    def bootstrap(self) -> str:
        """Where clients connect, without anything."""
        return self._addresses("PLAINTEXT", "127.0.0.1")

    @property
    def tls_bootstrap(self) -> str:
        """Where clients connect with TLS; a certificate of theirs is verified where they send one."""
        return self._addresses("SSL", "localhost")

    @property
    def sasl_bootstrap(self) -> str:
        """Where clients connect with TLS and USER and PASSWORD, by PLAIN or SCRAM-SHA-256."""
        return self._addresses("SASL_SSL", "localhost")

    def start(self, broker: int | None = None, *, wait: bool = True) -> None:
        """Start what is not running, on the same ports and data. Blocks until it is up.

        Raises:
            ServerError: a broker did not come up; the message shows the end of its log.
        """
        self._prepare()
        for process in self._chosen(broker):
            process.start()
        if wait:
            self.wait_until_up(broker)

    def wait_until_up(self, broker: int | None = None) -> None:
        """Wait until brokers have joined the cluster and answer clients."""
        for process in self._chosen(broker):
            process.wait_until(lambda now=process: _STARTED in now.output(), timeout_s=START_TIMEOUT_S)

    def stop(self, broker: int | None = None) -> None:
        """End brokers as an operator would."""
        for process in self._chosen(broker):
            process.terminate()
        for process in self._chosen(broker):
            process.stop()

    def restart(self, broker: int | None = None) -> None:
        """Stop and start again. Blocks until up."""
        self.stop(broker)
        self.start(broker)

    def kill(self, broker: int | None = None) -> None:
        """End brokers as a crash would."""
        for process in self._chosen(broker):
            process.kill()

    def pause(self, broker: int | None = None) -> None:
        """Stop brokers where they stand: their connections stay open, and nothing answers."""
        for process in self._chosen(broker):
            process.pause()

    def resume(self, broker: int | None = None) -> None:
        """Let paused brokers go on."""
        for process in self._chosen(broker):
            process.resume()

    def process(self, broker: int = 1) -> ServerProcess:
        """Return a broker's process, to look at."""
        return self._processes[broker]

    def _chosen(self, broker: int | None) -> Iterable[ServerProcess]:
        return self._processes.values() if broker is None else [self._processes[broker]]

    def _addresses(self, listener: str, host: str) -> str:
        return ",".join(f"{host}:{port}" for port in self._ports[listener])

    def _settings_file(self, number: int) -> Path:
        return self._folder / f"broker-{number}.properties"

    def _data_folder(self, number: int) -> Path:
        return self._folder / f"data-{number}"

    def _prepare(self) -> None:
        """Write the settings; format what is new."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "log4j2.properties").write_text(_LOGGING)
        for number in self._numbers:
            lines = [f"{name}={value}\n" for name, value in self._broker_settings(number).items()]
            self._settings_file(number).write_text("".join(lines))
        new = [
            number for number in self._numbers if not (self._data_folder(number) / "meta.properties").exists()
        ]
        if new:
            self._format(new)

    def _format(self, numbers: Iterable[int]) -> None:
        name = self._folder / "cluster-id"  # Of all its brokers, also of those that come later.
        if not name.exists():
            name.write_text(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22])
        user = [f"--add-scram=SCRAM-SHA-256=[name={USER},password={PASSWORD}]"] if self._certificates else []
        tool = [*self._java, "kafka.tools.StorageTool", "format", f"--cluster-id={name.read_text()}", *user]
        runs = [
            subprocess.Popen(
                [*tool, f"--config={self._settings_file(number)}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for number in numbers
        ]
        for run in runs:
            output, _ = run.communicate(timeout=START_TIMEOUT_S)
            if run.returncode:
                raise ServerError(f"a broker's folder can't be made:\n{output}")

    def _broker_settings(self, number: int) -> dict[str, str]:
        own = [name for name in self._ports if name != "CONTROLLER" or number in self._voters]
        hosts = {name: "localhost" if name.endswith("SSL") else "127.0.0.1" for name in own}
        listeners = {name: f"{name}://{hosts[name]}:{self._ports[name][number - 1]}" for name in own}
        copies = min(len(self._numbers), 3)
        voters = [f"{voter}@127.0.0.1:{self._ports['CONTROLLER'][voter - 1]}" for voter in self._voters]
        return {
            **dict(line.split("=", 1) for line in _SETTINGS.split()),
            "node.id": str(number),
            "process.roles": "broker,controller" if number in self._voters else "broker",
            "controller.quorum.voters": ",".join(voters),
            "log.dirs": str(self._data_folder(number)),
            "listeners": ",".join(listeners.values()),
            "advertised.listeners": ",".join(url for name, url in listeners.items() if name != "CONTROLLER"),
            "default.replication.factor": str(copies),
            "min.insync.replicas": str((copies + 1) // 2),
            "offsets.topic.replication.factor": str(copies),
            "transaction.state.log.replication.factor": str(copies),
            "transaction.state.log.min.isr": str((copies + 1) // 2),
            "share.coordinator.state.topic.replication.factor": str(copies),
            "share.coordinator.state.topic.min.isr": str((copies + 1) // 2),
            "listener.security.protocol.map": ",".join(
                f"{name}:{'PLAINTEXT' if name == 'CONTROLLER' else name}" for name in self._ports
            ),
            **(_security(self._certificates) if self._certificates else {}),
            **self._settings,
        }


def _security(certificates: Certificates) -> dict[str, str]:
    scram, plain = "scram.ScramLoginModule", "plain.PlainLoginModule"
    login = "org.apache.kafka.common.security.{} required {};".format
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.server_both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.authority),
        "ssl.client.auth": "requested",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": login(scram, ""),
        "listener.name.sasl_ssl.plain.sasl.jaas.config": login(plain, f'user_{USER}="{PASSWORD}"'),
    }


def main() -> None:
    """Run brokers until stopped."""
    parser = argparse.ArgumentParser(description="Run Apache Kafka on this machine until interrupted.")
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--port", type=int, help="of the first broker; the next ports are taken as well")
    parser.add_argument(
        "--folder", type=Path, required=True, help="for data and logs; goes on with what is there"
    )
    parser.add_argument("--secure", action="store_true", help="listen for TLS and SASL too")
    parser.add_argument("--heap", type=int, default=512, help="of each broker, in MiB")
    options = parser.parse_args()
    folder = options.folder.resolve()
    certificates = make_certificates(folder / "certificates") if options.secure else None
    reported = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, reported)  # Taken up below, also when it comes while we start.
    try:
        kafka = Kafka(
            folder,
            brokers=options.brokers,
            port=options.port,
            certificates=certificates,
            heap_mib=options.heap,
        )
        kafka.start()
    except (JavaMissingError, ServerError) as error:
        sys.exit(f"kafka: {error}")
    print(kafka.bootstrap, flush=True)  # noqa: T201  its answer
    if certificates:
        print(f"tls {kafka.tls_bootstrap}\nsasl {kafka.sasl_bootstrap}", flush=True)  # noqa: T201  its answer
    signal.sigwait(reported)
    kafka.stop()


if __name__ == "__main__":
    main()
