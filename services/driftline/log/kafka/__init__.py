"""An event log kept by an Apache Kafka cluster.

``settings`` alone needs no librdkafka; the other modules load it, so ``driftline.log`` loads those late.
"""
