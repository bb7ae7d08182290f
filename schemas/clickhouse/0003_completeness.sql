-- The completeness ledger: how far each session says it is, and what could not be landed. Which sequence
-- numbers landed is derived (`session_hours`).

-- How far each session says it is. Its counts only grow, so of several heartbeats the largest number counts:
-- clocks may go back, and heartbeats of processes that share a session come in no order.
CREATE TABLE sessions
(
    session_id String,
    beat_time SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    last_sequence SimpleAggregateFunction(max, UInt64),
    last_outcome_sequence SimpleAggregateFunction(max, UInt64),
    dropped SimpleAggregateFunction(maxMap, Map(String, UInt64)) COMMENT 'predictions, without a number',
    dropped_outcomes SimpleAggregateFunction(maxMap, Map(String, UInt64)),
    abandoned SimpleAggregateFunction(maxMap, Map(String, UInt64)) COMMENT 'predictions, after they had one',
    unencodable SimpleAggregateFunction(maxMap, Map(String, UInt64)) COMMENT 'values left out, by feature',
    rounded SimpleAggregateFunction(maxMap, Map(String, UInt64)) COMMENT 'values rounded, by feature',
    final SimpleAggregateFunction(max, Bool),
    host SimpleAggregateFunction(anyLast, String),
    process_id SimpleAggregateFunction(anyLast, UInt64),
    client SimpleAggregateFunction(anyLast, String),
    CONSTRAINT session_id_given CHECK session_id != '',
    CONSTRAINT names_bounded CHECK
        greatest(
            length(session_id), length(model_name), length(model_version), length(environment),
            length(host), length(client)
        ) <= 2048
        AND arrayAll(
            name -> length(name) <= 2048,
            arrayConcat(
                mapKeys(dropped), mapKeys(dropped_outcomes), mapKeys(abandoned), mapKeys(unencodable),
                mapKeys(rounded)
            )
        ),
    CONSTRAINT counts_bounded CHECK
        greatest(last_sequence, last_outcome_sequence) <= 1000000000000
        AND arrayAll(
            count -> count <= 1000000000000,
            arrayConcat(
                mapValues(dropped), mapValues(dropped_outcomes), mapValues(abandoned), mapValues(unencodable),
                mapValues(rounded)
            )
        )
)
ENGINE = AggregatingMergeTree
ORDER BY (session_id, model_name, model_version, environment);

-- What each session had dropped in total when an hour ended, for hours in which it sent a heartbeat; of
-- sessions that dropped something. A client's clock that is fast decides nothing: nothing was dropped after
-- it landed.
CREATE TABLE session_drops
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    session_id String,
    hour DateTime('UTC'),
    dropped SimpleAggregateFunction(max, UInt64) COMMENT 'predictions, before they had a number'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, session_id, hour);

CREATE MATERIALIZED VIEW session_drops_view TO session_drops AS
SELECT
    model_name, model_version, environment, session_id,
    toStartOfHour(least(beat_time, now64(6, 'UTC'))) AS hour,
    arraySum(mapValues(dropped)) AS dropped
FROM sessions WHERE notEmpty(sessions.dropped);

-- What could not be landed, with its bytes. Replayed, it gets a later revision.
CREATE TABLE dead_letters
(
    log_id String COMMENT 'identity of the log: one that is begun anew counts its offsets from 0 again',
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    reason LowCardinality(String),
    detail String,
    session_id String COMMENT 'empty: not known',
    sequence UInt64 COMMENT '0: not known',
    refused_time DateTime64(6, 'UTC'),
    value String COMMENT 'the record as it stood in the log',
    revision UInt32 DEFAULT 0,
    replayed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'null: not landed until now'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (log_id, topic, partition, offset);
