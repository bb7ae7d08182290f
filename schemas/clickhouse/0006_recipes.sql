-- What hours are derived by: grids, segments, and the rules that say which values are invalid. Whatever
-- changes here has the hours that it concerns derived again.

-- The grid that a model's numeric feature is counted on. Chosen from the feature's first reference, and anew
-- only when that is registered again.
CREATE TABLE feature_grids
(
    model_name String,
    feature String,
    center Float64,
    scale Float64,
    resolution UInt16,
    chosen_from String COMMENT 'reference or production',
    chosen_rows UInt64,
    registration UInt64 COMMENT 'of chosen_from reference: number of its registration; 0: not given',
    chosen_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(chosen_at)
ORDER BY (model_name, feature);

-- In which segments a model is counted, beside the whole traffic.
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

-- Rules are learned from the reference of a version, or set by hand for all versions of a model, and put
-- together when they are read. Either is a *set*, written in one insert, so that it is seen in whole or not
-- at all. Sets are numbered by the store's clock, and none is ever changed: a derived hour says by which it
-- was checked.
CREATE TABLE feature_rules
(
    model_name String,
    model_version String COMMENT 'empty: what was set by hand',
    number UInt64 COMMENT 'of the set: microseconds; the largest of a version is in force',
    feature String COMMENT 'empty: the set itself',
    source String COMMENT 'learned or set',
    kind String COMMENT 'numeric, categorical or answer; empty: either of the first two',
    minimum Nullable(Float64),
    maximum Nullable(Float64),
    is_limited Bool COMMENT 'whether a category must be one of those allowed',
    allowed Array(String),
    may_be_missing Bool,
    may_be_absent Bool,
    may_be_not_finite Bool,
    fields Array(String) COMMENT 'of source set: what was set; the rest is as it was learned',
    chosen_from String COMMENT 'of source learned: reference or production',
    chosen_rows UInt64,
    registration UInt64 COMMENT 'of chosen_from reference: number of its registration; 0: not given',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, model_version, number, feature, source);
