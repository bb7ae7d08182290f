-- One row an incident, which gathers what one cause made page; a later revision replaces an earlier one.

CREATE TABLE incidents
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    incident_id String COMMENT 'the same whenever the same hours are judged again',
    detected DateTime('UTC') COMMENT 'when the window that paged first ended',
    since DateTime('UTC') COMMENT 'the first hour of the windows that page',
    last DateTime('UTC') COMMENT 'when the last window that pages ended',
    state LowCardinality(String)
        COMMENT 'open, dismissed (a false page that goes on), ended, accepted, withdrawn (taken back)',
    accepted_at Nullable(DateTime('UTC')) COMMENT 'from when it is the new normal; null: it is not',
    headline String COMMENT 'which features, and what moved most, in one line' CODEC(ZSTD),
    findings Array(Tuple(
        channel_kind String,
        channel_value String,
        channel_feature String,
        segment String,
        feature String,
        kind String,
        reference String,
        effect Float64,
        expected Float64,
        observed Float64,
        z Nullable(Float64),
        scale_hours UInt16,
        since DateTime('UTC'),
        detected DateTime('UTC'),
        last DateTime('UTC'),
        episode_ids Array(String),
        accepted_at Nullable(DateTime('UTC'))
    )) COMMENT 'gravest first, each with the evidence of its surest window' CODEC(ZSTD),
    acknowledged LowCardinality(String) COMMENT 'real, noise or accept, as the worker knows; empty: none yet',
    revision UInt32,
    quiet_hours UInt16 COMMENT 'it has ended once so many hours were judged without a page of it',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (model_name, model_version, environment, incident_id);

-- What engineers decided about incidents, one row an acknowledgement.
CREATE TABLE acknowledgements
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    incident_id String,
    detected DateTime('UTC') COMMENT 'of the incident, which gets another id when late events move it',
    acknowledgement LowCardinality(String) COMMENT 'real: fault; noise: false page; accept: new normal',
    known_from DateTime('UTC') COMMENT 'when the newest window that was judged by then ended',
    given_by String,
    note String,
    given_at DateTime64(6, 'UTC'),
    CONSTRAINT acknowledgement_is_known CHECK acknowledgement IN ('real', 'noise', 'accept')
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, model_version, environment, incident_id, given_at);
