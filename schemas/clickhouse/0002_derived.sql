-- What is counted, derived from the raw rows: hour by hour of each stream (model, version, environment).
--
-- A derivation is a pure function of the raw rows of an hour and of a recipe (grids, segments, rules). Its
-- rows carry its id, and count for nobody until the hour's pointer in `derived_hours` names it: one row, so
-- that an hour is seen as it was before or as it is after. Late rows and a changed recipe have the hour
-- derived again. What no pointer names any more is deleted later.

CREATE TABLE derived_hours
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    derivation UInt64 COMMENT 'in force; the store''s time when it began, microseconds, and ten random bits'
        CODEC(Delta, ZSTD),
    rows UInt64 COMMENT 'raw rows when it began; as long as there are as many, it holds exactly these',
    counted UInt64 COMMENT 'of these, what profiles hold: not what was set aside, nor replaced references',
    future UInt64 COMMENT 'rows that were set aside, more than a day ahead of their landing' CODEC(T64, ZSTD),
    old UInt64 COMMENT 'rows that were set aside, of 1970' CODEC(T64, ZSTD),
    segments UInt64 COMMENT 'hash of the segments that it was counted in' CODEC(ZSTD),
    recipe UInt64 COMMENT 'number of the rules that it was checked by; of a reference, of its registration'
        CODEC(ZSTD),
    seconds Float32 COMMENT 'what deriving took, its share of the statements' CODEC(ZSTD),
    derived_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD),
    INDEX derived_at_range derived_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(derivation)
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, hour);

-- Up to when what has landed is derived, by shard of those that derive. What landed later, or may have been
-- under way then, is to be asked of the raw rows.
CREATE TABLE profiling_progress
(
    shards UInt16 COMMENT 'how many share the models',
    shard UInt16,
    derived_until DateTime64(3, 'UTC'),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (shards, shard);

-- Profiles: counts that merge exactly. A drift verdict reads these and never the rows. segment '' is the
-- whole traffic, another one is key=value of a tag or a categorical feature. By kind:
--   rows         feature '', count: events
--   numeric      finite values, and the predicted number, by bucket of the grid that stands beside them
--   categorical  values, and the predicted label: the 256 most frequent by name, the others in folded
--   missing      count: events that sent the feature without a value, of either kind
CREATE TABLE profiles
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    feature LowCardinality(String),
    kind LowCardinality(String),
    derivation UInt64 CODEC(Delta, ZSTD),
    count UInt64 COMMENT 'events, or values that the buckets or the names count' CODEC(T64, ZSTD),
    nans UInt64 CODEC(T64, ZSTD),
    infinities UInt64 CODEC(T64, ZSTD),
    minimum Float64 COMMENT 'of finite values; 0 without any' CODEC(ZSTD),
    maximum Float64 CODEC(ZSTD),
    center Float64 COMMENT 'of the grid' CODEC(ZSTD),
    scale Float64 CODEC(ZSTD),
    resolution UInt16 CODEC(ZSTD),
    buckets Array(Int32) COMMENT 'ascending' CODEC(Delta, ZSTD),
    `values` Array(String) COMMENT 'ascending' CODEC(ZSTD),
    counts Array(UInt64) COMMENT 'of buckets, or of values' CODEC(T64, ZSTD),
    folded UInt64 COMMENT 'events with values that are not named' CODEC(T64, ZSTD),
    hashed Array(UInt64) COMMENT 'events of all values, by their hash, where any is folded' CODEC(T64, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, segment, hour, feature, kind)
SETTINGS index_granularity = 512;

-- Which sequence numbers of a session landed: the completeness ledger's one side.
CREATE TABLE session_hours
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    session_id String CODEC(ZSTD),
    derivation UInt64 CODEC(Delta, ZSTD),
    rows UInt64 CODEC(T64, ZSTD),
    sequences AggregateFunction(groupBitmap, UInt64),
    last_sequence UInt64 CODEC(T64, ZSTD),
    newest DateTime64(6, 'UTC') COMMENT 'of the newest event that counts' CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, hour, session_id);

-- Values that broke a rule, of all environments but the reference, which makes the rules. The answer's parts
-- stand under prediction, prediction.number, prediction.label and so on.
CREATE TABLE invalid_values
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    feature LowCardinality(String),
    reason LowCardinality(String),
    derivation UInt64 CODEC(Delta, ZSTD),
    count UInt64 CODEC(T64, ZSTD),
    oldest DateTime64(6, 'UTC') COMMENT 'time of the oldest such event' CODEC(Delta, ZSTD),
    newest DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    examples Array(Tuple(DateTime64(6, 'UTC'), UUID)) COMMENT 'the newest such events, their times and ids'
        CODEC(ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, hour, feature, reason);
