-- Outcomes and training runs: of several rows for one key the newest counts.

CREATE TABLE outcomes
(
    event_id UUID,
    observed_time DateTime64(6, 'UTC'),
    landed_at DateTime64(3, 'UTC') DEFAULT now64(3),
    model_name LowCardinality(String),
    session_id String,
    sequence UInt64,
    actual_number Nullable(Float64),
    actual_label LowCardinality(Nullable(String)),
    CONSTRAINT observed_time_in_range CHECK
        observed_time >= toDateTime64('1970-01-01', 6, 'UTC')
        AND observed_time < toDateTime64('2100-01-01', 6, 'UTC'),
    CONSTRAINT sequence_bounded CHECK sequence <= 1000000000000,
    CONSTRAINT names_bounded CHECK greatest(length(model_name), length(session_id)) <= 2048,
    CONSTRAINT texts_bounded CHECK length(ifNull(actual_label, '')) <= 65536
)
ENGINE = ReplacingMergeTree(landed_at)
PARTITION BY toYYYYMM(observed_time)
ORDER BY (event_id, observed_time, session_id, sequence);

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
    reference_session_id String COMMENT 'the session that logged these; empty: not told',
    runtime Map(String, String),
    parameters Map(String, String),
    metrics Map(String, Float64),
    tags Map(String, String),
    CONSTRAINT training_run_id_given CHECK training_run_id != '',
    CONSTRAINT names_bounded CHECK
        greatest(length(training_run_id), length(model_name), length(model_version)) <= 2048
)
ENGINE = ReplacingMergeTree(landed_at)
ORDER BY (model_name, training_run_id);

-- Every registration there was, of a run that was registered again, too. Which is newer follows from when
-- they landed, and within one insert from their order in the log.
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
FROM training_runs;

-- The reference of each version: what its newest registration that has rows logged, and nothing else.
CREATE VIEW current_references
(
    model_name String,
    model_version String,
    training_run_id String,
    session_id String COMMENT 'empty: not told, and all reference rows of the version count',
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
