-- Performance: what became of predictions, counted by hour of the prediction. Derived as profiles are
-- (0002_derived.sql), with pointers of their own: a truth that comes late has its hour counted again here,
-- and leaves what drift is judged by as it is. Only hours of models that have an outcome are derived.

CREATE TABLE performance_hours
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    hour DateTime('UTC') COMMENT 'of the predictions' CODEC(Delta, ZSTD),
    derivation UInt64 COMMENT 'in force; the store''s time when it began, microseconds, and ten random bits'
        CODEC(Delta, ZSTD),
    rows UInt64 COMMENT 'predictions that it counts',
    outcomes UInt64 COMMENT 'outcomes of them; as long as there are as many of both, it holds exactly these',
    segments UInt64 COMMENT 'hash of the segments that it was counted in' CODEC(ZSTD),
    registration UInt64 COMMENT 'of a reference: number of the one that its rows are of' CODEC(ZSTD),
    seconds Float32 COMMENT 'what deriving took, its share of the statements' CODEC(ZSTD),
    derived_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(derivation)
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, hour);

-- Of each hour and segment one row for each group of predictions with the same answer and the same truth.
-- By kind:
--   answer   decision: the predicted label. truth: the label that came true, or 0 or 1 where the truth is
--            that number, else empty. The score is the predicted number
--   class    one row for each class that has a probability: decision: the class. truth: 1 where it came true,
--            0 where another did. The score is its probability
--   chosen   one row for each answer whose class has a probability: decision: that class. truth: 1 where the
--            answer was right, 0 where it was wrong. The score is the probability
CREATE TABLE performance_counts
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String) COMMENT 'empty: the whole traffic; else key=value',
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    kind LowCardinality(String),
    status LowCardinality(String) COMMENT 'known, unknown, or acted_on: whatever came true',
    decision LowCardinality(String) CODEC(ZSTD),
    truth LowCardinality(String) CODEC(ZSTD),
    derivation UInt64 CODEC(Delta, ZSTD),
    count UInt64 CODEC(T64, ZSTD),
    outcomes UInt64 COMMENT 'that landed of these predictions' CODEC(T64, ZSTD),
    replayed UInt64 COMMENT 'predictions that landed more than an hour after their time' CODEC(T64, ZSTD),
    bins Array(Int32) COMMENT 'of scores, ascending' CODEC(Delta, ZSTD),
    counts Array(UInt64) COMMENT 'by bin' CODEC(T64, ZSTD),
    scores Array(Float64) COMMENT 'sum of the scores by bin' CODEC(ZSTD),
    delays Array(UInt8) COMMENT 'how long truths took to be known: places of delays, ascending' CODEC(ZSTD),
    delay_counts Array(UInt64) COMMENT 'by place' CODEC(T64, ZSTD),
    proper UInt64 COMMENT 'known, with a probability of what came true' CODEC(T64, ZSTD),
    log_loss Float64 COMMENT 'sum of these' CODEC(ZSTD),
    log_loss_squared Float64 COMMENT 'sum of squares' CODEC(ZSTD),
    brier Float64 CODEC(ZSTD),
    brier_squared Float64 CODEC(ZSTD),
    numbers UInt64 COMMENT 'known, with numbers for answer and truth' CODEC(T64, ZSTD),
    error Float64 COMMENT 'sum of answer less truth' CODEC(ZSTD),
    error_absolute Float64 CODEC(ZSTD),
    error_squared Float64 CODEC(ZSTD),
    error_fourth Float64 CODEC(ZSTD),
    error_largest Float64 CODEC(ZSTD),
    error_relative Float64 COMMENT 'sum of absolute error by absolute truth' CODEC(ZSTD),
    error_relative_squared Float64 CODEC(ZSTD),
    error_over_squared Float64 COMMENT 'sum of squares where the answer is above the truth' CODEC(ZSTD),
    moments Array(Tuple(UInt64, Float64, Float64))
        COMMENT 'of truths that are numbers: how many, their mean, the sum of squares about it' CODEC(ZSTD),
    errors Tuple(Array(Int32), Array(UInt64), Array(Float64), Array(Float64), Array(Float64), Array(Float64),
        Array(Float64), Array(Float64))
        COMMENT 'where truth is empty: bins of scores; by bin numbers, error, error_absolute and so on'
        CODEC(ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, segment, hour, kind, status, decision, truth)
SETTINGS index_granularity = 512;
