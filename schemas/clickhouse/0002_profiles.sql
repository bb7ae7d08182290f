-- Profiles: counts that merge exactly, written while landing. A drift verdict reads these and never the rows.
-- segment '' is the whole traffic, another one is key=value of a tag or a categorical feature.
--
-- Beside its counts, each view writes *marks*: one row a landed block, month and model, with model_name,
-- feature and all other names empty, model_version the model's name, minute the month's begin, and block the
-- block's number, which is 0 everywhere else. A mark stands in the same part as the counts of its block and
-- month, so it is there exactly when they are.
--
-- What depends on grids or segments is counted by generation of these. What had landed when a generation was
-- chosen is counted on it later: recount then says in which go. Only rows of one generation, and of its
-- recount in force, go together. What does not depend on them has generation and recount 0.
--
-- Minutes age: after three days a merge sums up those of an hour, and leaves any of them. An hour goes as a
-- whole, in its part, and what is counted of it later joins it. Marks stay, since no two have the same block.

-- Finite values of numeric features, and the predicted number, by bucket of the feature's grid.
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
    model_name, model_version, environment, segment, feature, toStartOfHour(minute), generation, recount,
    bucket, block, minute
)
TTL toStartOfHour(minute) + INTERVAL 3 DAY
GROUP BY
    model_name, model_version, environment, segment, feature, toStartOfHour(minute), generation, recount,
    bucket, block
SET count = sum(count)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW numeric_profiles_view TO numeric_profiles AS
SELECT
    if(name = '', '', model) AS model_name,
    if(name = '', model, version) AS model_version,
    if(name = '', '', place) AS environment,
    segment,
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
        segment,
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
            model_name AS model, model_version AS version, environment AS place, segment, event_time,
            generation, block AS landed, name, value
        FROM
        (
            SELECT
                model_name, model_version, environment, segment, event_time, generation, block,
                numeric_features, prediction_number
            FROM prediction_inbox ARRAY JOIN segments AS segment
        )
        ARRAY JOIN
            arrayConcat(
                mapKeys(numeric_features),
                if(prediction_number IS NULL, [''], ['prediction.number', ''])) AS name,
            arrayConcat(
                mapValues(numeric_features),
                if(prediction_number IS NULL, [0.], [assumeNotNull(prediction_number), 0.])) AS value
        WHERE isFinite(value) AND (segment = '' OR name != '')
    )
    GROUP BY model, version, place, segment, name, time, generation, landed, number
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
    generation UInt64 CODEC(Delta, ZSTD),
    recount UInt64 CODEC(Delta, ZSTD),
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
ORDER BY (
    model_name, model_version, environment, segment, feature, toStartOfHour(minute), generation, recount,
    block, minute
)
TTL toStartOfHour(minute) + INTERVAL 3 DAY
GROUP BY
    model_name, model_version, environment, segment, feature, toStartOfHour(minute), generation, recount,
    block
SET
    finite = sum(finite), nulls = sum(nulls), nans = sum(nans), infinities = sum(infinities),
    minimum = min(minimum), maximum = max(maximum), total = sum(total), squares = sum(squares)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW feature_profiles_view TO feature_profiles AS
SELECT
    if(name = '', '', model) AS model_name,
    if(name = '', model, version) AS model_version,
    if(name = '', '', place) AS environment,
    segment,
    name AS feature,
    if(name = '', toDateTime(toStartOfMonth(time), 'UTC'), time) AS minute,
    if(name = '' OR segment != '', chosen, 0) AS generation,
    toUInt64(0) AS recount,
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
        segment,
        name,
        toStartOfMinute(event_time) AS time,
        chosen,
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
            model_name AS model, model_version AS version, environment AS place, segment, event_time,
            generation AS chosen, block AS landed, name, value
        FROM
        (
            SELECT
                model_name, model_version, environment, segment, event_time, generation, block,
                numeric_features, missing_features, prediction_number
            FROM prediction_inbox ARRAY JOIN segments AS segment
        )
        ARRAY JOIN
            arrayConcat(
                mapKeys(numeric_features),
                missing_features,
                if(prediction_number IS NULL, [''], ['prediction.number', ''])) AS name,
            arrayConcat(
                arrayMap(x -> toNullable(x), mapValues(numeric_features)),
                arrayMap(x -> CAST(NULL, 'Nullable(Float64)'), missing_features),
                if(prediction_number IS NULL, [NULL], [prediction_number, NULL])) AS value
        WHERE segment = '' OR name != ''
    )
    GROUP BY model, version, place, segment, name, time, chosen, landed
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
    generation UInt64 CODEC(Delta, ZSTD),
    recount UInt64 CODEC(Delta, ZSTD),
    folded Bool,
    value String CODEC(ZSTD),
    block UInt64 CODEC(ZSTD),
    count UInt64 CODEC(T64, ZSTD)
)
ENGINE = SummingMergeTree(count)
PARTITION BY toYYYYMM(minute)
ORDER BY (
    model_name, model_version, environment, segment, feature, toStartOfHour(minute), generation, recount,
    folded, value, block, minute
)
TTL toStartOfHour(minute) + INTERVAL 3 DAY
GROUP BY
    model_name, model_version, environment, segment, feature, toStartOfHour(minute), generation, recount,
    folded, value, block
SET count = sum(count)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW categorical_profiles_view TO categorical_profiles AS
SELECT
    if(name = '', '', model) AS model_name,
    if(name = '', model, version) AS model_version,
    if(name = '', '', place) AS environment,
    segment,
    name AS feature,
    if(name = '', toDateTime(toStartOfMonth(time), 'UTC'), time) AS minute,
    if(name = '' OR segment != '', chosen, 0) AS generation,
    toUInt64(0) AS recount,
    rank > 256 AS folded,
    if(folded, '', category) AS value,
    if(name = '', landed, 0) AS block,
    sum(named) AS count
FROM
(
    SELECT
        *,
        row_number() OVER (
            PARTITION BY model, version, place, segment, name, time, chosen, landed
            ORDER BY named DESC, category
        ) AS rank
    FROM
    (
        SELECT
            model_name AS model,
            model_version AS version,
            environment AS place,
            segment,
            toStartOfMinute(event_time) AS time,
            generation AS chosen,
            block AS landed,
            name,
            category,
            count() AS named
        FROM
        (
            SELECT
                model_name, model_version, environment, segment, event_time, generation, block,
                categorical_features, prediction_label
            FROM prediction_inbox ARRAY JOIN segments AS segment
        )
        ARRAY JOIN
            arrayConcat(
                mapKeys(categorical_features),
                if(prediction_label IS NULL, [''], ['prediction.label', ''])) AS name,
            arrayConcat(
                mapValues(categorical_features),
                if(prediction_label IS NULL, [''], [assumeNotNull(prediction_label), ''])) AS category
        WHERE segment = '' OR name != ''
        GROUP BY model, version, place, segment, time, chosen, landed, name, category
    )
)
GROUP BY
    model_name, model_version, environment, segment, feature, minute, generation, recount, folded, value,
    block;

-- Control totals of the profiles by segment: events, and how many values the other profiles must count of
-- them. Where the whole traffic has as many events here as in session_profiles, all segments are complete.
CREATE TABLE segment_profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    generation UInt64 CODEC(Delta, ZSTD),
    recount UInt64 CODEC(Delta, ZSTD),
    block UInt64 CODEC(ZSTD),
    rows SimpleAggregateFunction(sum, UInt64),
    numeric_values SimpleAggregateFunction(sum, UInt64) COMMENT 'what numeric_profiles counts',
    feature_entries SimpleAggregateFunction(sum, UInt64) COMMENT 'what feature_profiles counts',
    categorical_values SimpleAggregateFunction(sum, UInt64) COMMENT 'what categorical_profiles counts'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (
    model_name, model_version, environment, segment, toStartOfHour(minute), generation, recount, block, minute
)
TTL toStartOfHour(minute) + INTERVAL 3 DAY
GROUP BY model_name, model_version, environment, segment, toStartOfHour(minute), generation, recount, block
SET
    rows = sum(rows), numeric_values = sum(numeric_values), feature_entries = sum(feature_entries),
    categorical_values = sum(categorical_values)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW segment_profiles_view TO segment_profiles AS
SELECT
    if(mark, '', model) AS model_name,
    if(mark, model, version) AS model_version,
    if(mark, '', place) AS environment,
    segment,
    if(mark, toDateTime(toStartOfMonth(time), 'UTC'), time) AS minute,
    generation,
    toUInt64(0) AS recount,
    if(mark, landed, 0) AS block,
    if(mark, 0, counted) AS rows,
    if(mark, 0, numeric) AS numeric_values,
    if(mark, 0, entries) AS feature_entries,
    if(mark, 0, categorical) AS categorical_values
FROM
(
    SELECT
        model_name AS model,
        model_version AS version,
        environment AS place,
        segment,
        toStartOfMinute(event_time) AS time,
        generation,
        block AS landed,
        count() AS counted,
        sum(numbers) AS numeric,
        sum(names) AS entries,
        sum(words) AS categorical
    FROM
    (
        SELECT
            model_name, model_version, environment, event_time, generation, block, segments,
            arrayCount(x -> isFinite(x), mapValues(numeric_features)) + ifNull(isFinite(prediction_number), 0)
                AS numbers,
            length(numeric_features) + length(missing_features) + (prediction_number IS NOT NULL) AS names,
            length(categorical_features) + (prediction_label IS NOT NULL) AS words
        FROM prediction_inbox
    )
    ARRAY JOIN segments AS segment
    GROUP BY model, version, place, segment, time, generation, landed
)
ARRAY JOIN if(segment = '', [false, true], [false]) AS mark;
