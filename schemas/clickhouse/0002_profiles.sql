-- Profiles: counts that merge exactly, written while landing. A drift verdict reads these and never the rows.
-- segment '' is the whole traffic.
--
-- Beside its counts, each view writes *marks*: one row a landed block and month, with model_name, feature and
-- all other names empty, minute the month's begin, and block the block's number, which is 0 everywhere else.
-- A mark stands in the same part as the counts of its block and month, so it is there exactly when they are.

-- Finite values of numeric features, and the predicted number, by bucket of the feature's grid. Rows that had
-- landed when a generation of grids was chosen are counted on it later: recount then says in which go. Only
-- rows of one generation, and of its recount in force, go together. In marks model_version is the model's
-- name, since each model has generations of its own.
CREATE TABLE numeric_profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    generation UInt64 CODEC(Delta, ZSTD),
    recount UInt64 CODEC(Delta, ZSTD),
    bucket Int32 CODEC(Delta, ZSTD),
    block UInt64 CODEC(ZSTD),
    count UInt64 CODEC(T64, ZSTD)
)
ENGINE = SummingMergeTree(count)
PARTITION BY toYYYYMM(minute)
ORDER BY (
    model_name, model_version, environment, segment, feature, minute, generation, recount, bucket, block
)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW numeric_profiles_view TO numeric_profiles AS
SELECT
    if(name = '', '', model) AS model_name,
    if(name = '', model, version) AS model_version,
    if(name = '', '', place) AS environment,
    '' AS segment,
    name AS feature,
    if(name = '', toDateTime(toStartOfMonth(time), 'UTC'), time) AS minute,
    generation,
    toUInt64(0) AS recount,
    number AS bucket,
    if(name = '', landed, 0) AS block,
    counted AS count
FROM
(
    WITH dictGet(
        '$database.feature_grid', ('center', 'scale', 'resolution'), (model, name, generation)
    ) AS grid
    SELECT
        model,
        version,
        place,
        name,
        toStartOfMinute(event_time) AS time,
        generation,
        landed,
        -- Bounded, since a distance that overflows has no bucket: a reading of DBL_MAX would be refused.
        toInt32(round(grid.3 * asinh(greatest(
            least((value - grid.1) / grid.2, 1.7976931348623157e308), -1.7976931348623157e308)))) AS number,
        count() AS counted
    FROM
    (
        SELECT
            model_name AS model, model_version AS version, environment AS place, event_time, generation,
            block AS landed, name, value
        FROM prediction_inbox
        ARRAY JOIN
            arrayConcat(
                mapKeys(numeric_features),
                if(prediction_number IS NULL, [''], ['prediction.number', ''])) AS name,
            arrayConcat(
                mapValues(numeric_features),
                if(prediction_number IS NULL, [0.], [assumeNotNull(prediction_number), 0.])) AS value
        WHERE isFinite(value)
    )
    GROUP BY model, version, place, name, time, generation, landed, number
);

-- Per numeric feature and minute: what the buckets can't tell. Nulls of both kinds of features are here.
CREATE TABLE feature_profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    block UInt64 CODEC(ZSTD),
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
ORDER BY (model_name, model_version, environment, segment, feature, minute, block)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW feature_profiles_view TO feature_profiles AS
SELECT
    if(name = '', '', model) AS model_name,
    if(name = '', '', version) AS model_version,
    if(name = '', '', place) AS environment,
    '' AS segment,
    name AS feature,
    if(name = '', toDateTime(toStartOfMonth(time), 'UTC'), time) AS minute,
    if(name = '', landed, 0) AS block,
    finite,
    if(name = '', 0, missing) AS nulls,
    nans,
    infinities,
    minimum,
    maximum,
    total,
    squares
FROM
(
    SELECT
        model,
        version,
        place,
        name,
        toStartOfMinute(event_time) AS time,
        landed,
        countIf(isFinite(value)) AS finite,
        countIf(value IS NULL) AS missing,
        countIf(isNaN(value)) AS nans,
        countIf(isInfinite(value)) AS infinities,
        minIf(value, isFinite(value)) AS minimum,
        maxIf(value, isFinite(value)) AS maximum,
        sumIf(assumeNotNull(value), isFinite(value)) AS total,
        sumIf(assumeNotNull(value) * assumeNotNull(value), isFinite(value)) AS squares
    FROM
    (
        SELECT
            model_name AS model, model_version AS version, environment AS place, event_time, block AS landed,
            name, value
        FROM prediction_inbox
        ARRAY JOIN
            arrayConcat(
                mapKeys(numeric_features),
                missing_features,
                if(prediction_number IS NULL, [''], ['prediction.number', ''])) AS name,
            arrayConcat(
                arrayMap(x -> toNullable(x), mapValues(numeric_features)),
                arrayMap(x -> CAST(NULL, 'Nullable(Float64)'), missing_features),
                if(prediction_number IS NULL, [NULL], [prediction_number, NULL])) AS value
    )
    GROUP BY model, version, place, name, time, landed
);

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
    block UInt64 CODEC(ZSTD),
    count UInt64 CODEC(T64, ZSTD)
)
ENGINE = SummingMergeTree(count)
PARTITION BY toYYYYMM(minute)
ORDER BY (model_name, model_version, environment, segment, feature, minute, folded, value, block)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW categorical_profiles_view TO categorical_profiles AS
SELECT
    if(name = '', '', model) AS model_name,
    if(name = '', '', version) AS model_version,
    if(name = '', '', place) AS environment,
    '' AS segment,
    name AS feature,
    if(name = '', toDateTime(toStartOfMonth(time), 'UTC'), time) AS minute,
    rank > 256 AS folded,
    if(folded, '', category) AS value,
    if(name = '', landed, 0) AS block,
    sum(named) AS count
FROM
(
    SELECT
        *,
        row_number() OVER (
            PARTITION BY model, version, place, name, time, landed ORDER BY named DESC, category) AS rank
    FROM
    (
        SELECT
            model_name AS model,
            model_version AS version,
            environment AS place,
            toStartOfMinute(event_time) AS time,
            block AS landed,
            name,
            category,
            count() AS named
        FROM prediction_inbox
        ARRAY JOIN
            arrayConcat(
                mapKeys(categorical_features),
                if(prediction_label IS NULL, [''], ['prediction.label', ''])) AS name,
            arrayConcat(
                mapValues(categorical_features),
                if(prediction_label IS NULL, [''], [assumeNotNull(prediction_label), ''])) AS category
        GROUP BY model, version, place, time, landed, name, category
    )
)
GROUP BY model_name, model_version, environment, segment, feature, minute, folded, value, block;
