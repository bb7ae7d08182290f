-- Outcomes and training runs.

-- Every outcome there was, once, with the time at which it landed first: what was known at a time are the
-- rows that had landed by then, and merging takes none of them away. Which of an event's outcomes counts
-- follows from what they say (revision, logged_time), never from the order in which they arrived.
CREATE TABLE outcomes
(
    event_id UUID,
    observed_time DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    landed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when its insert began' CODEC(Delta, ZSTD),
    model_name LowCardinality(String),
    session_id String CODEC(ZSTD),
    sequence UInt64 CODEC(Delta, ZSTD),
    actual_number Nullable(Float64) CODEC(ZSTD),
    actual_label LowCardinality(Nullable(String)),
    logged_time Nullable(DateTime64(6, 'UTC')) COMMENT 'null: when it was observed' CODEC(ZSTD),
    revision Int64 DEFAULT 0 CODEC(ZSTD),
    acted_on Nullable(Bool) COMMENT 'null: this outcome does not say' CODEC(ZSTD),
    numeric_actuals Map(String, Float64) COMMENT 'of an answer with several outputs' CODEC(ZSTD),
    categorical_actuals Map(String, String) CODEC(ZSTD),
    content UInt64 DEFAULT cityHash64(
        observed_time, model_name, session_id, sequence, isNull(actual_number), ifNull(actual_number, 0),
        isNull(actual_label), ifNull(actual_label, ''), isNull(logged_time),
        ifNull(logged_time, observed_time), revision, ifNull(toInt8(acted_on), -1),
        numeric_actuals, categorical_actuals)
        COMMENT 'hash of all that it says: senders that do not number their outcomes lose none' CODEC(ZSTD),
    earliness UInt64 DEFAULT 4102444800000 - toUnixTimestamp64Milli(landed_at)
        COMMENT 'of a record that was landed twice the first landing stays' CODEC(Delta, ZSTD),
    INDEX landed_at_range landed_at TYPE minmax GRANULARITY 1,
    CONSTRAINT observed_time_in_range CHECK
        observed_time >= toDateTime64('1970-01-01', 6, 'UTC')
        AND observed_time < toDateTime64('2100-01-01', 6, 'UTC'),
    CONSTRAINT sequence_bounded CHECK sequence <= 1000000000000,
    CONSTRAINT names_bounded CHECK greatest(length(model_name), length(session_id)) <= 2048,
    CONSTRAINT texts_bounded CHECK
        length(ifNull(actual_label, '')) <= 65536
        AND arrayAll(value -> length(value) <= 65536, mapValues(categorical_actuals)),
    CONSTRAINT outputs_bounded CHECK
        length(numeric_actuals) + length(categorical_actuals) <= 256
        AND arrayAll(
            name -> length(name) <= 2048 AND name != '',
            arrayConcat(mapKeys(numeric_actuals), mapKeys(categorical_actuals)))
)
ENGINE = ReplacingMergeTree(earliness)
PARTITION BY toYYYYMM(observed_time)
ORDER BY (event_id, session_id, sequence, content);

-- Every training run as it was registered, each time that it was: only added to. A row stands where its
-- record stands in the log, so that landing it again changes nothing; what a run was, revision by revision,
-- follows from that order.
CREATE TABLE training_run_events
(
    log_id LowCardinality(String),
    log_partition UInt32,
    log_offset UInt64,
    landed_at DateTime64(3, 'UTC') DEFAULT now64(3),
    training_run_id String,
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    registered_time DateTime64(6, 'UTC') COMMENT 'by the clock of who trained',
    registered_by String,
    artifact_uri Nullable(String),
    artifacts Array(Tuple(path String, sha256 String, bytes Int64)),
    git_commit Nullable(String),
    git_branch Nullable(String),
    git_remote Nullable(String),
    git_dirty Nullable(Bool),
    git_changes_sha256 Nullable(String) COMMENT 'of what the commit does not hold',
    git_changes Nullable(String) COMMENT 'the same as a patch, where it was asked to be kept',
    environment_kind String COMMENT 'packages, lock, requirements, conda or dockerfile; empty: not given',
    environment_sha256 Nullable(String),
    environment_text Nullable(String),
    data_uri Nullable(String),
    data_fingerprint Nullable(String),
    data_references Array(Tuple(
        name String, uri String, fingerprint Nullable(String), rows Nullable(Int64),
        columns Map(String, String)
    )),
    reference_rows UInt64,
    reference_session_id String COMMENT 'the session that logged these; empty: not given',
    runtime Map(String, String),
    parameters Map(String, String),
    metrics Map(String, Float64),
    cost Map(String, Float64),
    features Map(String, String),
    tags Map(String, String),
    waived Map(String, String) COMMENT 'why something that a run should say is missing',
    CONSTRAINT training_run_id_given CHECK training_run_id != '',
    CONSTRAINT names_bounded CHECK
        greatest(length(training_run_id), length(model_name), length(model_version)) <= 2048
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, training_run_id, log_id, log_partition, log_offset);

-- Each run as it was registered last.
CREATE TABLE training_runs
(
    training_run_id String,
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    registered_time DateTime64(6, 'UTC') COMMENT 'by the clock of who trained',
    landed_at DateTime64(3, 'UTC') DEFAULT now64(3),
    artifact_uri Nullable(String),
    git_commit Nullable(String),
    git_dirty Nullable(Bool),
    data_uri Nullable(String),
    data_fingerprint Nullable(String),
    reference_rows UInt64,
    reference_session_id String,
    runtime Map(String, String),
    parameters Map(String, String),
    metrics Map(String, Float64),
    tags Map(String, String)
)
ENGINE = ReplacingMergeTree(landed_at)
ORDER BY (model_name, training_run_id);

CREATE MATERIALIZED VIEW training_runs_view TO training_runs AS
SELECT
    training_run_id, model_name, model_version, registered_time, landed_at, artifact_uri, git_commit,
    git_dirty, data_uri, data_fingerprint, reference_rows, reference_session_id, runtime, parameters, metrics,
    tags
FROM training_run_events;

-- What a reference is chosen by, of every registration there was. Which is newer follows from when they
-- landed, and within one insert from their order in the log.
CREATE TABLE registrations
(
    training_run_id String,
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    registered_time DateTime64(6, 'UTC'),
    landed_at DateTime64(3, 'UTC'),
    place UInt64 COMMENT 'in its insert',
    git_commit Nullable(String),
    data_uri Nullable(String),
    data_fingerprint Nullable(String),
    reference_rows UInt64,
    reference_session_id String
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, model_version, training_run_id, registered_time, reference_session_id);

CREATE MATERIALIZED VIEW registrations_view TO registrations AS
SELECT
    training_run_id, model_name, model_version, registered_time, landed_at, rowNumberInAllBlocks() AS place,
    git_commit, data_uri, data_fingerprint, reference_rows, reference_session_id
FROM training_run_events;

-- The reference of each version: what its newest registration that has rows logged, and nothing else.
CREATE VIEW current_references
(
    model_name String,
    model_version String,
    training_run_id String,
    session_id String COMMENT 'empty: not given, and all reference rows of the version count',
    expected UInt64 COMMENT 'rows that were announced',
    number UInt64 COMMENT 'of the registration; 0: all rows count',
    first_landed DateTime64(3, 'UTC') COMMENT 'when the version was registered with a reference first'
)
AS SELECT
    toString(model_name) AS model_name,
    toString(model_version) AS model_version,
    newest.1 AS training_run_id,
    newest.2 AS session_id,
    newest.3 AS expected,
    if(session_id = '', 0, cityHash64(session_id)) AS number,
    first_landed
FROM
(
    SELECT
        model_name, model_version, min(landed_at) AS first_landed,
        argMax((training_run_id, reference_session_id, reference_rows), (landed_at, place)) AS newest
    FROM registrations WHERE reference_rows > 0 GROUP BY model_name, model_version
);
