-- The model registry: every decision about a model's versions, only added to. What it comes to is no table:
-- it is folded from these rows in the order of the log, as every process does that reads the topic itself. A
-- row stands where its record stands in the log, so that landing it again changes nothing.
CREATE TABLE registry_events
(
    log_id LowCardinality(String),
    log_partition UInt32,
    log_offset UInt64,
    landed_at DateTime64(3, 'UTC') DEFAULT now64(3),
    event_id UUID,
    event_time DateTime64(6, 'UTC') COMMENT 'by the clock of who decided',
    model_name LowCardinality(String),
    kind LowCardinality(String) COMMENT 'version, stage, rollback or alias',
    model_version LowCardinality(String),
    training_run_id String,
    artifact_uri Nullable(String),
    artifact_sha256 Nullable(String),
    environment LowCardinality(String),
    stage LowCardinality(String),
    alias String,
    expected_head String COMMENT 'the decision that the writer knew as the last one; empty: none',
    written_by String,
    reason String,
    origin String COMMENT 'the registry that it was copied from; empty: decided here',
    origin_sha256 Nullable(String) COMMENT 'of what that one reported of the version',
    project LowCardinality(String) COMMENT 'that the model belongs to since; empty: where it was',
    CONSTRAINT model_name_given CHECK model_name != '',
    CONSTRAINT names_bounded CHECK
        greatest(
            length(model_name), length(kind), length(model_version), length(training_run_id),
            length(environment), length(stage), length(alias), length(expected_head), length(written_by),
            length(origin), length(project)
        ) <= 2048,
    CONSTRAINT texts_bounded CHECK
        greatest(
            length(ifNull(artifact_uri, '')), length(ifNull(artifact_sha256, '')), length(reason),
            length(ifNull(origin_sha256, ''))
        ) <= 65536
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, log_id, log_partition, log_offset);
