-- The completeness ledger: which sequence numbers of a session landed, and how far the session says it is.
-- Also the control totals: how many values the other profiles must count in the same minutes. The tables
-- behind the inbox are not written in one step, so a reader compares before it believes.

CREATE TABLE session_profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    session_id String,
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    block UInt64 CODEC(ZSTD) COMMENT 'of marks, as in the profiles; else 0',
    rows SimpleAggregateFunction(sum, UInt64),
    sequences AggregateFunction(groupBitmap, UInt64),
    last_sequence SimpleAggregateFunction(max, UInt64),
    numeric_values SimpleAggregateFunction(sum, UInt64) COMMENT 'what numeric_profiles counts',
    feature_entries SimpleAggregateFunction(sum, UInt64) COMMENT 'what feature_profiles counts',
    categorical_values SimpleAggregateFunction(sum, UInt64) COMMENT 'what categorical_profiles counts'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (model_name, model_version, environment, session_id, toStartOfHour(minute), block, minute)
TTL toStartOfHour(minute) + INTERVAL 3 DAY
GROUP BY model_name, model_version, environment, session_id, toStartOfHour(minute), block
SET
    rows = sum(rows), sequences = groupBitmapMergeState(sequences), last_sequence = max(last_sequence),
    numeric_values = sum(numeric_values), feature_entries = sum(feature_entries),
    categorical_values = sum(categorical_values)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW session_profiles_view TO session_profiles AS
SELECT
    if(mark, '', model) AS model_name,
    if(mark, '', version) AS model_version,
    if(mark, '', place) AS environment,
    if(mark, '', session) AS session_id,
    if(mark, toDateTime(toStartOfMonth(time), 'UTC'), time) AS minute,
    if(mark, landed, 0) AS block,
    if(mark, 0, counted) AS rows,
    if(mark, arrayReduce('groupBitmapState', emptyArrayUInt64()), numbers) AS sequences,
    if(mark, 0, last) AS last_sequence,
    if(mark, 0, numeric) AS numeric_values,
    if(mark, 0, entries) AS feature_entries,
    if(mark, 0, categorical) AS categorical_values
FROM
(
    SELECT
        model_name AS model,
        model_version AS version,
        environment AS place,
        session_id AS session,
        toStartOfMinute(event_time) AS time,
        block AS landed,
        count() AS counted,
        groupBitmapState(toUInt64(sequence)) AS numbers,
        toUInt64(max(sequence)) AS last,
        sum(arrayCount(x -> isFinite(x), mapValues(numeric_features))
            + ifNull(isFinite(prediction_number), 0))
            AS numeric,
        sum(length(numeric_features) + length(missing_features) + (prediction_number IS NOT NULL))
            AS entries,
        sum(length(categorical_features) + (prediction_label IS NOT NULL)) AS categorical
    FROM prediction_inbox
    GROUP BY model, version, place, session, time, landed
)
ARRAY JOIN [false, true] AS mark;

-- The newest beat of each session.
CREATE TABLE sessions
(
    session_id String,
    beat_time DateTime64(6, 'UTC'),
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    last_sequence UInt64,
    last_outcome_sequence UInt64,
    dropped Map(String, UInt64),
    abandoned Map(String, UInt64),
    final Bool,
    host String,
    process_id UInt64,
    client String,
    CONSTRAINT session_id_given CHECK session_id != ''
)
ENGINE = ReplacingMergeTree(beat_time)
ORDER BY session_id;

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
