-- What landed, sealed: a digest of each row, and one chain of links a model, each with the hash of the one
-- before (docs/audit.md). All of it is derived from `predictions` minutes after rows have landed, and is the
-- same whoever derives it, and however often.

-- The digests of the rows that landed in a window, which ends at `until`; those of a link that accepts a
-- difference bear its number, and of a row that is to be gone a digest of zeros.
CREATE TABLE audit_rows
(
    model_name LowCardinality(String),
    until DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    acceptance UInt32 COMMENT 'number of the link that accepts a difference; 0: the row as it landed'
        CODEC(T64, ZSTD),
    log_id LowCardinality(String),
    log_partition UInt32 CODEC(T64, ZSTD),
    log_offset UInt64 CODEC(Delta, ZSTD),
    hour DateTime('UTC') COMMENT 'of the row: says when it may expire' CODEC(Delta, ZSTD),
    digest FixedString(16) COMMENT 'SHA-256 of all columns of the row, its first half' CODEC(NONE)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(until)
ORDER BY (model_name, until, acceptance, log_id, log_partition, log_offset);

-- The links. Two that would write the same number at once write under one token, and the engine takes one.
CREATE TABLE audit_links
(
    model_name LowCardinality(String),
    number UInt32 CODEC(Delta, ZSTD),
    since_ms Int64 COMMENT 'landed from then on, milliseconds since the Unix epoch' CODEC(Delta, ZSTD),
    until_ms Int64 COMMENT 'and before then' CODEC(Delta, ZSTD),
    rows UInt64 CODEC(T64, ZSTD),
    first_hour Int32 COMMENT 'the earliest hour of its rows, since the Unix epoch' CODEC(Delta, ZSTD),
    last_hour Int32 CODEC(Delta, ZSTD),
    root FixedString(64) COMMENT 'SHA-256 of places and digests of its rows' CODEC(ZSTD),
    previous String COMMENT 'hash of the link before; empty: the first one' CODEC(ZSTD),
    accepted_by String COMMENT 'who says that rows are to differ from earlier links; empty: what landed',
    reason String COMMENT 'why',
    layout UInt16 COMMENT 'format of the link and of the digests',
    hash FixedString(64) COMMENT 'SHA-256 of the columns before' CODEC(ZSTD),
    sealed_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
ORDER BY (model_name, number)
SETTINGS non_replicated_deduplication_window = 10000;

-- The last link of each model when a day had ended, UTC; to be kept elsewhere, too.
CREATE TABLE audit_heads
(
    model_name LowCardinality(String),
    day Date,
    number UInt32,
    hash FixedString(64),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, day);

-- Who looked at single predictions, and who took them away.
CREATE TABLE access_log
(
    at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD),
    who String COMMENT 'user and host, or what the proxy says, or the address that asked' CODEC(ZSTD),
    known_by LowCardinality(String) COMMENT 'how it is known who: process, header or address',
    how LowCardinality(String) COMMENT 'trace, export, or the name of a page',
    asked String COMMENT 'the question: keys of a command, or the address of a page' CODEC(ZSTD),
    model_name LowCardinality(String) COMMENT 'empty: not by model',
    event_id String COMMENT 'empty: not by event' CODEC(ZSTD),
    rows UInt64 COMMENT 'predictions that were exported; 0: shown on a screen' CODEC(T64, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY at;
