-- Predictions: the inbox that the lander inserts into, and the one stored table behind it.
-- The inbox stores nothing. Its maps have plain String keys because that reads Avro four times as fast; the
-- view behind it writes the same rows typed for reading. Everything that is counted is derived from
-- `predictions` later (0002_derived.sql).
--
-- An event belongs to the hour of its time, and at the latest to the one in which it landed: nothing that
-- happened can be later than that. So no client's clock makes an hour that has not begun. A time that is more
-- than a day ahead of the landing, or of 1970, which is what wrong units make of today, sets its event aside:
-- it is kept, traced and in the ledger, and in no profile. Times that the store cannot hold are moved to its
-- bounds. A reference is compared as a whole: there such a time is none, and the rows count.
--
-- Rows stand by stream and hour, which is how they are counted. One event, and all events of one entity, are
-- found through projections that hold a key and where its row stands (about 11 bytes a row each); a request
-- or a trace by filters. All of them are written with the part, so they miss nothing.

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
    numeric_outputs Map(String, Float64),
    categorical_outputs Map(String, String),
    missing_outputs Array(String),
    record_end Int64 DEFAULT 104049575723007
        COMMENT 'behind each record: a mark, and its size in 24 bits; where bytes are left over, not that',
    CONSTRAINT nothing_left_over CHECK bitShiftRight(record_end, 24) = 6201837,
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
    -- Of small records it need not be asked: that would cost an eighth of what landing does.
    CONSTRAINT feature_names_bounded CHECK bitAnd(record_end, 16777215) <= 2048 OR (
        arrayAll(name -> length(name) <= 2048, mapKeys(numeric_features))
        AND arrayAll(name -> length(name) <= 2048, mapKeys(categorical_features))
        AND arrayAll(name -> length(name) <= 2048, missing_features)
        AND arrayAll(name -> length(name) <= 2048, mapKeys(tags))
        AND arrayAll(name -> length(name) <= 2048, mapKeys(class_probabilities))
        AND arrayAll(name -> length(name) <= 2048, mapKeys(numeric_outputs))
        AND arrayAll(name -> length(name) <= 2048, mapKeys(categorical_outputs))
        AND arrayAll(name -> length(name) <= 2048, missing_outputs)
    ),
    CONSTRAINT texts_bounded CHECK bitAnd(record_end, 16777215) <= 65536 OR (
        arrayAll(value -> length(value) <= 65536, mapValues(categorical_features))
        AND arrayAll(value -> length(value) <= 65536, mapValues(tags))
        AND arrayAll(value -> length(value) <= 65536, mapValues(categorical_outputs))
        AND greatest(
            length(ifNull(prediction_label, '')), length(ifNull(entity_id, '')),
            length(ifNull(request_id, '')), length(ifNull(trace_id, ''))
        ) <= 65536
    ),
    CONSTRAINT feature_names_given CHECK
        NOT mapContainsKey(numeric_features, '')
        AND NOT mapContainsKey(categorical_features, '')
        AND NOT has(missing_features, ''),
    CONSTRAINT output_names_given CHECK
        NOT mapContainsKey(numeric_outputs, '')
        AND NOT mapContainsKey(categorical_outputs, '')
        AND NOT has(missing_outputs, ''),
    CONSTRAINT outputs_bounded CHECK
        length(numeric_outputs) + length(categorical_outputs) + length(missing_outputs) <= 256
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
    numeric_outputs Map(LowCardinality(String), Float64) CODEC(ZSTD),
    categorical_outputs Map(LowCardinality(String), String) CODEC(ZSTD),
    missing_outputs Array(LowCardinality(String)) CODEC(ZSTD),
    set_aside LowCardinality(String) DEFAULT multiIf(
        environment = 'reference', '',
        event_time > landed_at + INTERVAL 1 DAY, 'future',
        event_time < toDateTime64('1971-01-01', 6, 'UTC'), 'old', '')
        COMMENT 'why its time says nothing: then nothing is counted of it but that it landed; empty: counted',
    counted_time DateTime64(6, 'UTC') ALIAS
        if(event_time > landed_at OR event_time < toDateTime64('1971-01-01', 6, 'UTC'), landed_at, event_time)
        COMMENT 'event_time, or where that cannot be right, when it landed',
    hour DateTime('UTC') DEFAULT toStartOfHour(if(
        event_time > landed_at OR event_time < toDateTime64('1971-01-01', 6, 'UTC'), landed_at, event_time))
        COMMENT 'of counted_time' CODEC(Delta, ZSTD),
    INDEX request_id_filter request_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX trace_id_filter trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX log_offset_range log_offset TYPE minmax GRANULARITY 1,
    INDEX landed_at_range landed_at TYPE minmax GRANULARITY 1,
    INDEX event_time_range event_time TYPE minmax GRANULARITY 1,
    PROJECTION by_event_id (SELECT _part_offset ORDER BY event_id),
    PROJECTION by_entity_id (SELECT _part_offset ORDER BY entity_id)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, hour, event_id)
SETTINGS
    non_replicated_deduplication_window = 10000,
    allow_nullable_key = 1,
    lightweight_mutation_projection_mode = 'rebuild';

CREATE MATERIALIZED VIEW predictions_view TO predictions AS
SELECT
    * EXCEPT (record_end) REPLACE least(
        greatest(event_time, toDateTime64('1970-01-01', 6, 'UTC')),
        toDateTime64('2099-12-31 23:59:59.999999', 6, 'UTC')) AS event_time
FROM prediction_inbox;
