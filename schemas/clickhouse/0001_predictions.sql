-- Predictions: the inbox that the lander inserts into, and the stored table behind it.
-- The inbox stores nothing. Its maps have plain String keys because that reads Avro four times as fast;
-- the views behind it write the same rows typed for reading.

-- The grids that a model's features are counted on, and the segments that are counted beside the whole
-- traffic. All grids and segments of a model together are a *generation*; a new one is written in one
-- insert, what is unchanged among it, so that it is seen in whole or not at all. Generations and recounts are
-- numbered by the store's clock, so that two landers never give the same number.
CREATE TABLE feature_grids
(
    model_name String,
    generation UInt64 COMMENT 'microseconds; the largest is in force for what lands',
    feature String COMMENT 'empty: the generation itself',
    center Float64,
    scale Float64,
    resolution UInt16,
    chosen_from String COMMENT 'reference or production',
    chosen_rows UInt64,
    chosen_at DateTime64(3, 'UTC') DEFAULT now64(3),
    segments Array(String) COMMENT 'of feature empty: key=value of tags and of categorical features',
    recount UInt64 COMMENT 'of feature empty: the recount of earlier rows that is in force; 0: none yet'
)
ENGINE = ReplacingMergeTree(recount)
ORDER BY (model_name, generation, feature);

-- Which segments of a model are to be counted: a wish, until a lander has made a generation of it.
CREATE TABLE monitored_segments
(
    model_name String,
    segments Array(String) COMMENT 'key=value, ascending',
    set_at DateTime64(6, 'UTC') DEFAULT now64(6),
    CONSTRAINT model_name_given CHECK model_name != '',
    CONSTRAINT segments_bounded CHECK length(segments) <= 200
)
ENGINE = ReplacingMergeTree(set_at)
ORDER BY model_name;

-- Under (model, '', 0) stands which generation is in force: it changes in the same moment as the grids do,
-- and as the segments. Under (model, segment, generation) stands whether that is one, and under
-- (model, '', generation) whether there is any. A feature may be called as a segment is ("city=Bergen"): then
-- both stand in one entry.
CREATE DICTIONARY feature_grid
(
    model_name String,
    feature String,
    generation UInt64,
    current UInt64 DEFAULT 0,
    center Float64 DEFAULT 0,
    scale Float64 DEFAULT 1,
    resolution UInt16 DEFAULT 32,
    is_segment UInt8 DEFAULT 0
)
PRIMARY KEY model_name, feature, generation
SOURCE(CLICKHOUSE(USER '$dictionary_user' QUERY '
    SELECT
        model_name, name, key, max(number),
        argMax(middle, is_grid), argMax(width, is_grid), argMax(buckets, is_grid), max(is_listed)
    FROM
    (
        SELECT
            model_name, feature AS name, if(feature = \'\', 0, generation) AS key, generation AS number,
            center AS middle, scale AS width, resolution AS buckets, 1 AS is_grid, 0 AS is_listed
        FROM $database.feature_grids
        UNION ALL
        SELECT
            model_name, arrayJoin(arrayPushBack(segments, \'\')) AS name, generation AS key,
            generation AS number, 0 AS middle, 1 AS width, 32 AS buckets, 0 AS is_grid, 1 AS is_listed
        FROM $database.feature_grids WHERE notEmpty(segments)
    )
    GROUP BY model_name, name, key
'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(0);

CREATE TABLE prediction_inbox
(
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
    block UInt64 DEFAULT cityHash64(splitByChar('|', getSetting('insert_deduplication_token'))[-1])
        COMMENT 'which block of the log: the hash of its token, of what stands behind the last | of it',
    generation UInt64 DEFAULT dictGet('$database.feature_grid', 'current', (model_name, '', toUInt64(0)))
        COMMENT 'of the grids that the row is counted on',
    rules UInt64 DEFAULT if(environment = 'reference', 0, dictGetUInt64OrDefault(
        '$database.feature_rule', 'current', cityHash64(model_name, model_version),
        dictGetUInt64('$database.feature_rule', 'current', cityHash64(model_name, ''))))
        COMMENT 'by which set the row is checked, see feature_rule; 0: by none',
    segments Array(String) DEFAULT if(
        dictGet('$database.feature_grid', 'is_segment', (model_name, '', generation)) = 1,
        arrayPushFront(arrayDistinct(arrayFilter(
            segment -> dictGet('$database.feature_grid', 'is_segment', (model_name, segment, generation)) = 1,
            arrayMap(
                (key, value) -> concat(key, '=', value),
                arrayConcat(mapKeys(tags), mapKeys(categorical_features)),
                arrayConcat(mapValues(tags), mapValues(categorical_features))))), ''),
        [''])
        COMMENT 'that the row is counted in; empty: the whole traffic',
    CONSTRAINT event_time_in_range CHECK
        event_time >= toDateTime64('1970-01-01', 6, 'UTC')
        AND event_time < toDateTime64('2100-01-01', 6, 'UTC'),
    CONSTRAINT model_name_given CHECK model_name != '',
    CONSTRAINT model_version_given CHECK model_version != '',
    CONSTRAINT training_run_id_given CHECK training_run_id != '',
    CONSTRAINT environment_given CHECK environment != '',
    CONSTRAINT session_id_given CHECK session_id != '',
    CONSTRAINT sequence_positive CHECK sequence > 0,
    -- In the rollups, the feature without a name marks a block.
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
    landed_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD),
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
    block UInt64 DEFAULT cityHash64(splitByChar('|', getSetting('insert_deduplication_token'))[-1])
        CODEC(ZSTD),
    rules UInt64 DEFAULT if(environment = 'reference', 0, dictGetUInt64OrDefault(
        '$database.feature_rule', 'current', cityHash64(model_name, model_version),
        dictGetUInt64('$database.feature_rule', 'current', cityHash64(model_name, '')))) CODEC(ZSTD),
    INDEX event_id_filter event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX block_filter block TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (model_name, model_version, environment, toStartOfHour(event_time), event_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW predictions_view TO predictions AS
SELECT * EXCEPT (generation, segments) FROM prediction_inbox;

-- Which ranges of the log the landers have begun to land, and which of them have landed in whole. A range
-- that is fetched again, because a group's position was set back, is cut as it was, or passed over.

CREATE TABLE landed_ranges
(
    source String COMMENT 'identity of the log',
    topic LowCardinality(String),
    partition UInt32,
    first_offset UInt64 CODEC(Delta, ZSTD),
    last_offset UInt64 CODEC(Delta, ZSTD),
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD),
    repeats Array(UInt64) COMMENT 'offsets of records that were left out, since they had landed before',
    checksum UInt32 COMMENT 'CRC-32 of the last record: offsets alone do not tell a log that was set back',
    landed Bool
)
ENGINE = ReplacingMergeTree(landed)
ORDER BY (source, topic, partition, first_offset);
