"""An event log kept by an Apache Kafka cluster."""
