-- What is planned and makes traffic unlike ordinary traffic, such as a sale. A later row replaces an earlier.
CREATE TABLE planned_events
(
    event_id String COMMENT 'made of name, model and times, so that adding an event twice changes nothing',
    name String COMMENT 'events of one name are like each other',
    model_name LowCardinality(String) COMMENT 'empty: of all models',
    since DateTime('UTC'),
    until DateTime('UTC'),
    given_by String,
    given_at DateTime64(6, 'UTC'),
    is_removed Bool COMMENT 'somebody took it back'
)
ENGINE = ReplacingMergeTree(given_at)
ORDER BY event_id;

-- Up to when the log holds nothing that has not landed, by lander; about once a minute. So hours in which a
-- model brought nothing differ from those whose events still wait.
CREATE TABLE landing_progress
(
    lander String COMMENT 'host and process',
    landed_until DateTime64(3, 'UTC'),
    noted_at DateTime('UTC') DEFAULT now() COMMENT 'each process that landed has a row, until it is forgotten'
)
ENGINE = ReplacingMergeTree(landed_until)
ORDER BY lander
TTL noted_at + INTERVAL 7 DAY;
