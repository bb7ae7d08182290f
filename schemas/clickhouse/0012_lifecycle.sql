-- From an incident back to training: snapshots, comparisons of versions, why a model was trained again or
-- was not, and how far a run has come (docs/lifecycle.md). All of it is only added to.

-- Training sets that were made. The manifest lies with the files; here is what finds it.
CREATE TABLE snapshots
(
    snapshot_id String COMMENT 'of its definition and its rows: the same content has the same id',
    label String COMMENT 'what the team calls it; empty: nothing',
    model_name LowCardinality(String),
    uri String COMMENT 'of the manifest',
    manifest_sha256 FixedString(64) COMMENT 'of the bytes of the manifest',
    rows UInt64,
    row_hash FixedString(64) COMMENT 'of its rows, whatever their order',
    since DateTime64(6, 'UTC'),
    until DateTime64(6, 'UTC'),
    as_of DateTime64(3, 'UTC') COMMENT 'labels as they were known then',
    split LowCardinality(String) COMMENT 'none, time or entity',
    made_by String,
    made_at DateTime64(3, 'UTC') DEFAULT now64(3),
    CONSTRAINT texts_bounded CHECK greatest(length(label), length(model_name), length(uri)) <= 65536
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, snapshot_id, uri);

-- What was decided about training a model again, each time that it was asked.
CREATE TABLE retrain_decisions
(
    decision_id String COMMENT 'also the key by which a request to train is carried out once',
    model_name LowCardinality(String),
    environment LowCardinality(String),
    decided_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    action LowCardinality(String) COMMENT 'retrain, wait (for time, labels or a person), or refuse',
    cause LowCardinality(String) COMMENT 'performance_drop or accepted_drift; empty: there is none',
    cause_since Nullable(DateTime64(3, 'UTC')) COMMENT 'since when; null: there is no cause',
    reasons Array(Tuple(code String, detail String)) COMMENT 'why not; of retrain: none' CODEC(ZSTD),
    facts String COMMENT 'what it was decided by, as JSON' CODEC(ZSTD),
    decided_by String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(decided_at)
ORDER BY (model_name, environment, decided_at, decision_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- Who approved that a model is trained again, or stopped it: the last one counts.
CREATE TABLE retrain_permissions
(
    model_name LowCardinality(String) COMMENT 'empty: every model',
    given_at DateTime64(3, 'UTC') DEFAULT now64(3),
    permission LowCardinality(String) COMMENT 'approve, stop or allow',
    given_by String,
    reason String
)
ENGINE = MergeTree
ORDER BY (model_name, given_at);

-- Runs of pipelines. A run of a model is claimed under a number; who claims the same number at once writes
-- under one token, and the engine takes one of the two. Whoever goes on with a run that was left claims it
-- again, with the next attempt.
CREATE TABLE pipeline_claims
(
    model_name LowCardinality(String),
    number UInt32 COMMENT 'of the run, from 1',
    attempt UInt32 COMMENT 'from 1',
    run_id String,
    claimed_by String COMMENT 'host and process',
    claimed_at DateTime64(3, 'UTC') DEFAULT now64(3),
    decision_id String COMMENT 'of the trigger; empty: a person ran it',
    environment LowCardinality(String),
    definition String COMMENT 'the pipeline as it was when the run began, as JSON' CODEC(ZSTD)
)
ENGINE = MergeTree
ORDER BY (model_name, number, attempt)
SETTINGS non_replicated_deduplication_window = 10000;

-- What came of a run's steps. The newest row of a step counts.
CREATE TABLE pipeline_steps
(
    model_name LowCardinality(String),
    run_id String,
    step LowCardinality(String)
        COMMENT 'define, snapshot, train, register, shadow, gate, promote, end, alive; or request',
    state LowCardinality(String) COMMENT 'done, failed or held',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3),
    attempt UInt32,
    detail String COMMENT 'what it made, as JSON' CODEC(ZSTD)
)
ENGINE = MergeTree
ORDER BY (model_name, run_id, written_at);

-- Comparisons of two versions.
CREATE TABLE gate_reports
(
    report_id String,
    model_name LowCardinality(String),
    candidate LowCardinality(String),
    production LowCardinality(String),
    made_at DateTime64(3, 'UTC') DEFAULT now64(3),
    decision LowCardinality(String) COMMENT 'pass, fail or hold',
    reason String,
    rows UInt64,
    report String COMMENT 'all of it, as JSON' CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, report_id);
