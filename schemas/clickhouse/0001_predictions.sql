-- Predictions: the inbox that the lander inserts into, and the one stored table behind it.
-- The inbox stores nothing. Its maps have plain String keys because that reads Avro four times as fast; the
-- view behind it writes the same rows typed for reading. Everything that is counted is derived from
-- `predictions` later (0002_derived.sql).

CREATE TABLE prediction_inbox
(
    log_id String,
    log_partition UInt32,
    log_offset UInt64,
    event_id UUID,
    event_time DateTime64(6, 'UTC'),
    model_name String,
    model_version String,
    training_run_id String,
    session_id String,
    sequence Int64,
    environment String,
    entity_id Nullable(String),
    request_id Nullable(String),
    trace_id Nullable(String),
    numeric_features Map(String, Float64),
    categorical_features Map(String, String),
    missing_features Array(String),
    prediction_number Nullable(Float64),
    prediction_label Nullable(String),
    class_probabilities Map(String, Float64),
    tags Map(String, String),
    latency_us Nullable(Int64),
    compute_us Nullable(Int64),
    record_end Int64 DEFAULT 6201837
        COMMENT 'a mark behind each record of the log: where bytes are left over, another number is read',
    CONSTRAINT nothing_left_over CHECK record_end = 6201837,
    CONSTRAINT event_time_in_range CHECK
        event_time >= toDateTime64('1970-01-01', 6, 'UTC')
        AND event_time < toDateTime64('2100-01-01', 6, 'UTC'),
    CONSTRAINT model_name_given CHECK model_name != '',
    CONSTRAINT model_version_given CHECK model_version != '',
    CONSTRAINT training_run_id_given CHECK training_run_id != '',
    CONSTRAINT environment_given CHECK environment != '',
    CONSTRAINT session_id_given CHECK session_id != '',
    CONSTRAINT sequence_positive CHECK sequence > 0,
    CONSTRAINT sequence_bounded CHECK sequence <= 1000000000000,
    CONSTRAINT names_bounded CHECK
        greatest(
            length(model_name), length(model_version), length(training_run_id), length(environment),
            length(session_id)
        ) <= 2048,
    CONSTRAINT feature_names_bounded CHECK
        arrayAll(name -> length(name) <= 2048, mapKeys(numeric_features))
        AND arrayAll(name -> length(name) <= 2048, mapKeys(categorical_features))
        AND arrayAll(name -> length(name) <= 2048, missing_features)
        AND arrayAll(name -> length(name) <= 2048, mapKeys(tags))
        AND arrayAll(name -> length(name) <= 2048, mapKeys(class_probabilities)),
    CONSTRAINT texts_bounded CHECK
        arrayAll(value -> length(value) <= 65536, mapValues(categorical_features))
        AND arrayAll(value -> length(value) <= 65536, mapValues(tags))
        AND greatest(
            length(ifNull(prediction_label, '')), length(ifNull(entity_id, '')),
            length(ifNull(request_id, '')), length(ifNull(trace_id, ''))
        ) <= 65536,
    CONSTRAINT feature_names_given CHECK
        NOT mapContainsKey(numeric_features, '')
        AND NOT mapContainsKey(categorical_features, '')
        AND NOT has(missing_features, '')
)
ENGINE = Null;

CREATE TABLE predictions
(
    event_id UUID,
    event_time DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    landed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when its insert began' CODEC(Delta, ZSTD),
    log_id LowCardinality(String) COMMENT 'identity of the log; with partition and offset: which record',
    log_partition UInt32 CODEC(ZSTD),
    log_offset UInt64 CODEC(Delta, ZSTD),
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    training_run_id LowCardinality(String),
    session_id LowCardinality(String),
    sequence Int64 CODEC(Delta, ZSTD),
    environment LowCardinality(String),
    entity_id Nullable(String) CODEC(ZSTD),
    request_id Nullable(String) CODEC(ZSTD),
    trace_id Nullable(String) CODEC(ZSTD),
    numeric_features Map(LowCardinality(String), Float64) CODEC(ZSTD),
    categorical_features Map(LowCardinality(String), String) CODEC(ZSTD),
    missing_features Array(LowCardinality(String)) CODEC(ZSTD),
    prediction_number Nullable(Float64) CODEC(ZSTD),
    prediction_label LowCardinality(Nullable(String)),
    class_probabilities Map(LowCardinality(String), Float64) CODEC(ZSTD),
    tags Map(LowCardinality(String), String) CODEC(ZSTD),
    latency_us Nullable(Int64) CODEC(ZSTD),
    compute_us Nullable(Int64) CODEC(ZSTD),
    INDEX event_id_filter event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX log_offset_range log_offset TYPE minmax GRANULARITY 1,
    INDEX landed_at_range landed_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (model_name, model_version, environment, toStartOfHour(event_time), event_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW predictions_view TO predictions AS
SELECT * EXCEPT (record_end) FROM prediction_inbox;
