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
    registered_time DateTime64(6, 'UTC'),
    artifact_uri Nullable(String),
    git_commit Nullable(String),
    git_dirty Nullable(Bool),
    data_uri Nullable(String),
    data_fingerprint Nullable(String),
    reference_rows UInt64,
    runtime Map(String, String),
    parameters Map(String, String),
    metrics Map(String, Float64),
    tags Map(String, String),
    CONSTRAINT training_run_id_given CHECK training_run_id != '',
    CONSTRAINT names_bounded CHECK
        greatest(length(training_run_id), length(model_name), length(model_version)) <= 2048
)
ENGINE = ReplacingMergeTree(registered_time)
ORDER BY (model_name, training_run_id);
