-- The joint check: what is counted of a sample of each hour's rows, so that a worker that starts again need
-- not read five weeks of them. All of it can be made again from predictions.

-- How rows are looked at, fitted anew each week to the four weeks before it.
CREATE TABLE joint_projections
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    week UInt32 COMMENT 'in which it is in use, counted from the Unix epoch',
    `projection` String COMMENT 'as JSON' CODEC(ZSTD),
    fitted_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(fitted_at)
ORDER BY (model_name, model_version, environment, week)
TTL toDateTime(fitted_at) + INTERVAL 60 DAY;

-- What each hour is by the projection of a week.
CREATE TABLE joint_profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    week UInt32,
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    rows UInt32 COMMENT 'of the sample',
    total UInt64 COMMENT 'rows that it was taken from',
    buckets Array(Array(Int32)) COMMENT 'of the distance, then of each residual' CODEC(ZSTD),
    counts Array(Array(UInt32)) CODEC(ZSTD),
    minima Array(Float64) CODEC(ZSTD),
    maxima Array(Float64) CODEC(ZSTD),
    together Array(UInt32) COMMENT 'rows that have both or neither of each pair' CODEC(ZSTD),
    counted_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(counted_at)
ORDER BY (model_name, model_version, environment, week, hour)
TTL toDateTime(counted_at) + INTERVAL 60 DAY;

-- What surely changed, by pseudo feature: these hours are held out of the reference, as an incident's are.
CREATE TABLE joint_findings
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    feature String,
    kind LowCardinality(String),
    scale_hours UInt16,
    window_start DateTime('UTC') CODEC(Delta, ZSTD),
    window_end DateTime('UTC') CODEC(Delta, ZSTD),
    episode_start DateTime('UTC') CODEC(Delta, ZSTD),
    withdrawn Bool COMMENT 'events that arrived late took it back'
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, model_version, environment, window_end, feature, kind, scale_hours);
