-- Drift verdicts: one row a feature, window, scale and reference; a later revision replaces an earlier one.
-- They are read as drift_verdicts. Here they are kept small: figures to three digits (see store/verdicts.py),
-- nothing that follows from others, sentences without their figures, and NaN, 0 or empty where there is none.

CREATE TABLE verdict_records
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    kind LowCardinality(String),
    reference LowCardinality(String),
    scale_hours UInt16,
    window_end DateTime('UTC') CODEC(Delta, ZSTD),
    revision UInt32,
    revised_because String CODEC(ZSTD),
    judged_at DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD),
    verdict LowCardinality(String),
    channel_kind LowCardinality(String),
    channel_value String CODEC(ZSTD),
    channel_feature LowCardinality(String),
    counted UInt64 COMMENT 'rows or values of the sample that are in the channel' CODEC(T64, ZSTD),
    expected Float32 CODEC(Gorilla, ZSTD(3)),
    effect_low Float32 CODEC(Gorilla, ZSTD(3)),
    effect_high Float32 CODEC(Gorilla, ZSTD(3)),
    z Float32 CODEC(Gorilla, ZSTD(3)),
    critical Float32 CODEC(Gorilla, ZSTD(3)),
    overdispersion Float32 CODEC(Gorilla, ZSTD(3)),
    freedom Float32 CODEC(Gorilla, ZSTD(3)),
    detectable_effect Float32 CODEC(Gorilla, ZSTD(3)),
    sample_size UInt64 CODEC(T64, ZSTD),
    reference_size UInt64 CODEC(T64, ZSTD),
    completeness Float32 CODEC(ZSTD),
    psi Float32 CODEC(Gorilla, ZSTD(3)),
    js Float32 CODEC(Gorilla, ZSTD(3)),
    ks Float32 CODEC(Gorilla, ZSTD(3)),
    ks_p_value Float32 CODEC(Gorilla, ZSTD(3)),
    wasserstein Float32 CODEC(Gorilla, ZSTD(3)),
    wasserstein_normed Float32 CODEC(Gorilla, ZSTD(3)),
    chi2 Float32 CODEC(Gorilla, ZSTD(3)),
    chi2_p_value Float32 CODEC(Gorilla, ZSTD(3)),
    episode_id String CODEC(ZSTD),
    episode_start DateTime('UTC') CODEC(ZSTD),
    rank UInt16 CODEC(T64, ZSTD),
    listed Bool,
    drivers Map(LowCardinality(String), Float32),
    reason LowCardinality(String)
        COMMENT '{channel}, {observed}, {expected} and {detectable} stand for the figures of the row'
        CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(window_end)
ORDER BY (model_name, model_version, environment, segment, reference, feature, kind, scale_hours, window_end);

-- What the records say, in full: the newest revision of each.
CREATE VIEW drift_verdicts
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    kind LowCardinality(String) COMMENT 'numeric or categorical',
    reference LowCardinality(String) COMMENT 'training or production',
    scale_hours UInt16,
    window_start DateTime('UTC'),
    window_end DateTime('UTC'),
    revision UInt32,
    revised_because String COMMENT 'empty: judged once',
    judged_at DateTime('UTC'),
    verdict LowCardinality(String) COMMENT 'ok, warn, page, learning, insufficient_data, incomplete',
    channel Nullable(String) COMMENT 'the share that moved most, as text; null: nothing could be compared',
    channel_kind LowCardinality(String) COMMENT 'which share that is; empty: nothing could be compared',
    channel_value String
        COMMENT 'at_most: the largest number that counts; value: a category; type_changed: the new kind',
    channel_feature LowCardinality(String) COMMENT 'of the check of features together: which of them',
    effect Nullable(Float64) COMMENT 'observed share less expected share',
    effect_low Nullable(Float32),
    effect_high Nullable(Float32),
    expected Nullable(Float64),
    observed Nullable(Float64),
    z Nullable(Float32),
    critical Nullable(Float32),
    overdispersion Nullable(Float32),
    freedom Nullable(Float32),
    detectable_effect Nullable(Float32) COMMENT 'the smallest effect that this window could have paged for',
    sample_size UInt64,
    reference_size UInt64,
    completeness Float32,
    statistics Map(String, Float32),
    episode_id Nullable(String) COMMENT 'the incident that this verdict belongs to',
    episode_start Nullable(DateTime('UTC')),
    rank Nullable(UInt16) COMMENT 'of the features of this window, by effect; 1 is the largest',
    listed Bool COMMENT 'significant by Benjamini-Hochberg among the features of this window',
    drivers Map(LowCardinality(String), Float32) COMMENT 'what the effect comes from, and its share of it',
    reason String
)
AS WITH
    toFloat64OrZero(r.channel_value) AS number,
    3 - toInt16(floor(log10(greatest(abs(number), 1e-9)))) AS decimals
SELECT
    model_name,
    model_version,
    environment,
    segment,
    feature,
    kind,
    reference,
    scale_hours,
    window_end - toIntervalHour(scale_hours) AS window_start,
    window_end,
    revision,
    revised_because,
    judged_at,
    verdict,
    if(r.channel_kind = '', NULL, concat(
        if(r.channel_feature = '', '', concat(toString(r.channel_feature), ': ')),
        multiIf(
            r.channel_kind = 'at_most',
            concat('share at or below ', toString(round(number, greatest(decimals, 0)))),
            r.channel_kind = 'type_changed',
            if(r.channel_value = 'categorical',
                'type changed, text instead of numbers', 'type changed, numbers instead of text'),
            r.channel_kind = 'unit_changed', concat('unit changed, values ', r.channel_value),
            r.channel_kind = 'value', concat('value ''', r.channel_value, ''''),
            transform(toString(r.channel_kind),
                ['other_values', 'frequent_others', 'never_seen', 'nulls', 'nan', 'infinities',
                    'out_of_range', 'stuck', 'together', 'volume'],
                ['other values', 'the more frequent half of the other values', 'values never seen', 'nulls',
                    'NaN', 'infinities', 'out of range', 'stuck', 'both or neither',
                    'predictions (of those expected)'])))) AS channel,
    r.channel_kind AS channel_kind,
    r.channel_value AS channel_value,
    r.channel_feature AS channel_feature,
    observed - expected AS effect,
    if(isNaN(r.effect_low), NULL, r.effect_low) AS effect_low,
    if(isNaN(r.effect_high), NULL, r.effect_high) AS effect_high,
    if(isNaN(r.expected), NULL, toFloat64(r.expected)) AS expected,
    if(r.channel_kind = '', NULL, r.counted / greatest(r.sample_size, 1)) AS observed,
    if(isNaN(r.z), NULL, r.z) AS z,
    if(isNaN(r.critical), NULL, r.critical) AS critical,
    if(isNaN(r.overdispersion), NULL, r.overdispersion) AS overdispersion,
    if(isNaN(r.freedom), NULL, r.freedom) AS freedom,
    if(isNaN(r.detectable_effect), NULL, r.detectable_effect) AS detectable_effect,
    sample_size,
    reference_size,
    completeness,
    mapFilter(
        (name, number) -> NOT isNaN(number),
        map(
            'psi', r.psi,
            'js', r.js,
            'ks', r.ks,
            'ks_p_value', r.ks_p_value,
            'wasserstein', r.wasserstein,
            'wasserstein_normed', r.wasserstein_normed,
            'chi2', r.chi2,
            'chi2_p_value', r.chi2_p_value
        )
    ) AS statistics,
    nullIf(r.episode_id, '') AS episode_id,
    nullIf(r.episode_start, toDateTime(0, 'UTC')) AS episode_start,
    nullIf(r.rank, 0) AS rank,
    listed,
    drivers,
    replaceOne(
        replaceOne(
            replaceOne(
                replaceOne(
                    toString(r.reason), '{observed}', printf('%.2f%%', 100 * coalesce(observed, 0))),
                '{expected}', printf('%.2f%%', 100 * coalesce(expected, 0))),
            '{detectable}', printf('%.1f%%', 100 * coalesce(toFloat64(detectable_effect), 0))),
        '{channel}', coalesce(channel, '')) AS reason
FROM verdict_records AS r FINAL;

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
