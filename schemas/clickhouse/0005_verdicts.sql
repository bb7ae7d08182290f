-- Drift verdicts: one row a feature, window, scale and reference; a later revision replaces an earlier one.

CREATE TABLE drift_verdicts
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    kind LowCardinality(String) COMMENT 'numeric or categorical',
    reference LowCardinality(String) COMMENT 'training or production',
    scale_hours UInt16,
    window_start DateTime('UTC') CODEC(Delta, ZSTD),
    window_end DateTime('UTC') CODEC(Delta, ZSTD),
    revision UInt32,
    revised_because String COMMENT 'empty: judged once' CODEC(ZSTD),
    judged_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD),
    verdict LowCardinality(String) COMMENT 'ok, warn, page, learning, insufficient_data, incomplete',
    channel Nullable(String) COMMENT 'the share that moved most; null: nothing could be compared' CODEC(ZSTD),
    effect Nullable(Float64) COMMENT 'observed share less expected share',
    effect_low Nullable(Float64),
    effect_high Nullable(Float64),
    expected Nullable(Float64),
    observed Nullable(Float64),
    z Nullable(Float64),
    critical Nullable(Float64),
    overdispersion Nullable(Float64),
    freedom Nullable(Float64),
    detectable_effect Nullable(Float64) COMMENT 'the smallest effect that this window could have paged for',
    sample_size UInt64,
    reference_size UInt64,
    completeness Float64,
    statistics Map(LowCardinality(String), Float64),
    episode_id Nullable(String) COMMENT 'the page that this verdict belongs to',
    episode_start Nullable(DateTime('UTC')),
    rank Nullable(UInt16) COMMENT 'of the features of this window, by effect; 1 is the largest',
    listed Bool COMMENT 'significant by Benjamini-Hochberg among the features of this window',
    drivers Map(LowCardinality(String), Float64) COMMENT 'what the effect comes from, and its share of it',
    reason String CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (model_name, model_version, environment, segment, reference, feature, scale_hours, window_end);

-- What each hour was judged on. Where profiles and ledger tell something else by now, it is judged anew.
-- It is written after the hour's verdicts, so that one that was cut short is found again.
CREATE TABLE judged_hours
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    rows UInt64,
    missing Float64 COMMENT 'events of this hour that the ledger missed then',
    revision UInt32 COMMENT '1: judged once',
    judged_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(hour)
ORDER BY (model_name, model_version, environment, hour);
