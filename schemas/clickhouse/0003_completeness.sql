-- The completeness ledger: how far each session says it is, and what could not be landed. Which sequence
-- numbers landed is derived (`session_hours`).

-- The newest beat of each session.
CREATE TABLE sessions
(
    session_id String,
    beat_time DateTime64(6, 'UTC'),
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    last_sequence UInt64,
    last_outcome_sequence UInt64,
    dropped Map(String, UInt64),
    abandoned Map(String, UInt64),
    final Bool,
    host String,
    process_id UInt64,
    client String,
    CONSTRAINT session_id_given CHECK session_id != ''
)
ENGINE = ReplacingMergeTree(beat_time)
ORDER BY session_id;

-- What could not be landed, with its bytes. Replayed, it gets a later revision.
CREATE TABLE dead_letters
(
    log_id String COMMENT 'identity of the log: one that is begun anew counts its offsets from 0 again',
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64,
    reason LowCardinality(String),
    detail String,
    session_id String COMMENT 'empty: not known',
    sequence UInt64 COMMENT '0: not known',
    refused_time DateTime64(6, 'UTC'),
    value String COMMENT 'the record as it stood in the log',
    revision UInt32 DEFAULT 0,
    replayed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'null: not landed until now'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (log_id, topic, partition, offset);
