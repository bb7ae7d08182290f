-- The feature store: what was defined, and which value each feature had, beside the predictions made from it.

-- Every registration, only added to. What was registered last under a name is in force; earlier versions
-- stay, since predictions name the version that they were made from.
CREATE TABLE feature_definitions
(
    kind LowCardinality(String) COMMENT 'view, on_demand or service',
    name LowCardinality(String),
    version String COMMENT 'hash of all that decides which value is read: definition, transform, ttl',
    computation String COMMENT 'of a view: hash of what its values are made by, without its ttl',
    document String COMMENT 'the definition, JSON' CODEC(ZSTD),
    registered_at DateTime64(6, 'UTC') DEFAULT now64(6),
    registered_by String,
    CONSTRAINT name_given CHECK name != '',
    CONSTRAINT texts_bounded CHECK
        greatest(length(name), length(version), length(computation), length(registered_by)) <= 2048
        AND length(document) <= 1048576
)
ENGINE = MergeTree
ORDER BY (kind, name, registered_at);

-- Rows as they came, only added to. Each has two clocks: when its values came true, and from when on they
-- could be known. Of two rows of one entity and event time the one that arrived later counts.
CREATE TABLE feature_values
(
    view LowCardinality(String),
    computation LowCardinality(String) COMMENT 'what made the values; others are not read with these',
    entity String COMMENT 'what the values are about' CODEC(ZSTD),
    event_time DateTime64(6, 'UTC') COMMENT 'when they came true' CODEC(Delta, ZSTD),
    available_time DateTime64(6, 'UTC') COMMENT 'from when on they could be known' CODEC(Delta, ZSTD),
    arrival UInt64 COMMENT 'the store''s time when the row was pushed, microseconds, and ten random bits'
        CODEC(Delta, ZSTD),
    numbers Array(Nullable(Float64)) COMMENT 'of the view''s numbers, in the order of its definition'
        CODEC(ZSTD),
    texts Array(Nullable(String)) COMMENT 'of its texts, likewise' CODEC(ZSTD),
    INDEX arrival_range arrival TYPE minmax GRANULARITY 1,
    CONSTRAINT names_given CHECK view != '' AND entity != '',
    CONSTRAINT texts_bounded CHECK
        length(entity) <= 65536 AND arrayAll(text -> length(ifNull(text, '')) <= 65536, texts)
)
ENGINE = MergeTree
ORDER BY (view, computation, entity, event_time, arrival);
