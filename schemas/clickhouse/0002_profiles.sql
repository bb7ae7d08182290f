-- Profiles: counts that merge exactly, written while landing. A drift verdict reads these and never the rows.
-- segment '' is the whole traffic.

-- The grid of each model's feature; the newest row is in force. A grid is written before the profiles are
-- counted anew with it (rebuilt = false), and again when they are (rebuilt = true), so that an interruption
-- is noticed.
CREATE TABLE feature_grids
(
    model_name String,
    feature String,
    generation UInt32,
    center Float64,
    scale Float64,
    resolution UInt16,
    chosen_from String COMMENT 'reference of RUN, or production',
    chosen_rows UInt64,
    chosen_at DateTime64(3, 'UTC') DEFAULT now64(3),
    rebuilt Bool,
    revision UInt64 DEFAULT generation * 2 + rebuilt
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (model_name, feature);

CREATE DICTIONARY feature_grid
(
    model_name String,
    feature String,
    generation UInt32 DEFAULT 0,
    center Float64 DEFAULT 0,
    scale Float64 DEFAULT 1,
    resolution UInt16 DEFAULT 32
)
PRIMARY KEY model_name, feature
SOURCE(CLICKHOUSE(USER '$dictionary_user' QUERY '
    SELECT model_name, feature, generation, center, scale, resolution FROM $database.feature_grids FINAL
'))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(0);

-- Finite values of numeric features, and the predicted number, by bucket of the feature's grid.
CREATE TABLE numeric_profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    generation UInt32,
    bucket Int32 CODEC(Delta, ZSTD),
    count UInt64 CODEC(T64, ZSTD)
)
ENGINE = SummingMergeTree(count)
PARTITION BY toYYYYMM(minute)
ORDER BY (model_name, model_version, environment, segment, feature, minute, generation, bucket)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW numeric_profiles_view TO numeric_profiles AS
WITH dictGet(
    '$database.feature_grid', ('generation', 'center', 'scale', 'resolution'), (model_name, feature)
) AS grid
SELECT
    model_name,
    model_version,
    environment,
    '' AS segment,
    feature,
    toStartOfMinute(event_time) AS minute,
    grid.1 AS generation,
    toInt32(round(grid.4 * asinh((value - grid.2) / grid.3))) AS bucket,
    count() AS count
FROM
(
    SELECT model_name, model_version, environment, event_time, feature, value
    FROM prediction_inbox
    ARRAY JOIN
        arrayConcat(
            mapKeys(numeric_features),
            if(prediction_number IS NULL, [], ['prediction.number'])) AS feature,
        arrayConcat(
            mapValues(numeric_features),
            if(prediction_number IS NULL, [], [assumeNotNull(prediction_number)])) AS value
    WHERE isFinite(value)
)
GROUP BY model_name, model_version, environment, segment, feature, minute, generation, bucket;

-- Per numeric feature and minute: what the buckets can't tell. Nulls of both kinds of features are here.
CREATE TABLE feature_profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    finite SimpleAggregateFunction(sum, UInt64),
    nulls SimpleAggregateFunction(sum, UInt64),
    nans SimpleAggregateFunction(sum, UInt64),
    infinities SimpleAggregateFunction(sum, UInt64),
    minimum SimpleAggregateFunction(min, Nullable(Float64)),
    maximum SimpleAggregateFunction(max, Nullable(Float64)),
    total SimpleAggregateFunction(sum, Float64),
    squares SimpleAggregateFunction(sum, Float64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (model_name, model_version, environment, segment, feature, minute)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW feature_profiles_view TO feature_profiles AS
SELECT
    model_name,
    model_version,
    environment,
    '' AS segment,
    feature,
    toStartOfMinute(event_time) AS minute,
    countIf(isFinite(value)) AS finite,
    countIf(value IS NULL) AS nulls,
    countIf(isNaN(value)) AS nans,
    countIf(isInfinite(value)) AS infinities,
    minIf(value, isFinite(value)) AS minimum,
    maxIf(value, isFinite(value)) AS maximum,
    sumIf(assumeNotNull(value), isFinite(value)) AS total,
    sumIf(assumeNotNull(value) * assumeNotNull(value), isFinite(value)) AS squares
FROM
(
    SELECT model_name, model_version, environment, event_time, feature, value
    FROM prediction_inbox
    ARRAY JOIN
        arrayConcat(
            mapKeys(numeric_features),
            missing_features,
            if(prediction_number IS NULL, [], ['prediction.number'])) AS feature,
        arrayConcat(
            arrayMap(x -> toNullable(x), mapValues(numeric_features)),
            arrayMap(x -> CAST(NULL, 'Nullable(Float64)'), missing_features),
            if(prediction_number IS NULL, [], [prediction_number])) AS value
)
GROUP BY model_name, model_version, environment, segment, feature, minute;

-- Values of categorical features, and the predicted label. Of one feature, minute and landed block the 256
-- most frequent values keep their names; the others are counted together (folded).
CREATE TABLE categorical_profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    folded Bool,
    value String CODEC(ZSTD),
    count UInt64 CODEC(T64, ZSTD)
)
ENGINE = SummingMergeTree(count)
PARTITION BY toYYYYMM(minute)
ORDER BY (model_name, model_version, environment, segment, feature, minute, folded, value)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW categorical_profiles_view TO categorical_profiles AS
SELECT
    model_name,
    model_version,
    environment,
    segment,
    feature,
    minute,
    place > 256 AS folded,
    if(folded, '', category) AS value,
    sum(named) AS count
FROM
(
    SELECT
        *,
        row_number() OVER (
            PARTITION BY model_name, model_version, environment, segment, feature, minute
            ORDER BY named DESC, category) AS place
    FROM
    (
        SELECT
            model_name,
            model_version,
            environment,
            '' AS segment,
            feature,
            toStartOfMinute(event_time) AS minute,
            category,
            count() AS named
        FROM prediction_inbox
        ARRAY JOIN
            arrayConcat(
            mapKeys(categorical_features),
            if(prediction_label IS NULL, [], ['prediction.label'])) AS feature,
            arrayConcat(
            mapValues(categorical_features),
            if(prediction_label IS NULL, [], [assumeNotNull(prediction_label)])) AS category
        GROUP BY model_name, model_version, environment, segment, feature, minute, category
    )
)
GROUP BY model_name, model_version, environment, segment, feature, minute, folded, value;
