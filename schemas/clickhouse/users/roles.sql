-- One role a service, with what the service needs and no more. `driftline migrate --users` creates them;
-- doing it again makes each hold exactly what stands here. Nothing here is needed by an embedded store.

CREATE ROLE IF NOT EXISTS driftline_lander;

-- The views behind the inbox run with the rights of whoever inserts: hence SELECT on the inbox, which holds
-- no row, and dictGet. When a repeated range is settled, what tables lack is counted by the views' own
-- queries, read from system.tables, which shows what one may see. Counts on earlier grids are deleted.
GRANT
    SELECT ON $database.schema_migrations,
    INSERT, SELECT ON $database.prediction_inbox,
    INSERT, SELECT ON $database.predictions,
    INSERT, SELECT, ALTER DELETE ON $database.numeric_profiles,
    INSERT, SELECT, ALTER DELETE ON $database.feature_profiles,
    INSERT, SELECT, ALTER DELETE ON $database.categorical_profiles,
    INSERT, SELECT, ALTER DELETE ON $database.segment_profiles,
    INSERT, SELECT ON $database.session_profiles,
    SELECT ON $database.monitored_segments,
    INSERT, SELECT ON $database.invalid_values,
    INSERT, SELECT ON $database.landed_ranges,
    SELECT(database, name, as_select) ON system.tables,
    SELECT(database, table, name, position, default_expression) ON system.columns,
    SHOW TABLES ON $database.numeric_profiles_view,
    SHOW TABLES ON $database.feature_profiles_view,
    SHOW TABLES ON $database.categorical_profiles_view,
    SHOW TABLES ON $database.segment_profiles_view,
    SHOW TABLES ON $database.session_profiles_view,
    SHOW TABLES ON $database.invalid_values_view,
    INSERT, SELECT ON $database.feature_grids,
    dictGet, SELECT ON $database.feature_grid,
    INSERT, SELECT ON $database.feature_rules,
    dictGet ON $database.feature_rule,
    SYSTEM RELOAD DICTIONARY ON *.*,
    INSERT ON $database.outcomes,
    INSERT, SELECT ON $database.training_runs,
    INSERT ON $database.sessions,
    INSERT, SELECT ON $database.dead_letters
TO driftline_lander WITH REPLACE OPTION;

CREATE ROLE IF NOT EXISTS driftline_watcher;

GRANT
    SELECT ON $database.schema_migrations,
    SELECT ON $database.predictions,
    SELECT ON $database.numeric_profiles,
    SELECT ON $database.feature_profiles,
    SELECT ON $database.categorical_profiles,
    SELECT ON $database.segment_profiles,
    SELECT ON $database.session_profiles,
    SELECT ON $database.invalid_values,
    SELECT ON $database.feature_grids,
    SELECT ON $database.training_runs,
    SELECT ON $database.sessions,
    SELECT ON $database.dead_letters,
    SELECT(database, table, partition_id, active, max_block_number) ON system.parts,
    SELECT(free_space, total_space) ON system.disks,
    INSERT, SELECT ON $database.monitored_segments,
    INSERT, SELECT ON $database.feature_rules,
    SYSTEM RELOAD DICTIONARY ON *.*,
    INSERT, SELECT ON $database.joint_projections,
    INSERT, SELECT ON $database.joint_profiles,
    INSERT, SELECT ON $database.joint_findings,
    INSERT, SELECT ON $database.judged_hours,
    INSERT, SELECT ON $database.verdict_records,
    SELECT ON $database.drift_verdicts,
    INSERT, SELECT ON $database.pages,
    SELECT ON $database.acknowledgements
TO driftline_watcher WITH REPLACE OPTION;

CREATE ROLE IF NOT EXISTS driftline_reader;

GRANT
    SELECT ON $database.schema_migrations,
    SELECT ON $database.predictions,
    SELECT ON $database.numeric_profiles,
    SELECT ON $database.feature_profiles,
    SELECT ON $database.categorical_profiles,
    SELECT ON $database.session_profiles,
    SELECT ON $database.invalid_values,
    SELECT ON $database.feature_rules,
    SELECT ON $database.feature_grids,
    SELECT ON $database.outcomes,
    SELECT ON $database.training_runs,
    SELECT ON $database.sessions,
    SELECT ON $database.dead_letters,
    SELECT ON $database.verdict_records,
    SELECT ON $database.drift_verdicts,
    SELECT ON $database.judged_hours,
    SELECT ON $database.pages,
    SELECT ON $database.acknowledgements
TO driftline_reader WITH REPLACE OPTION;

-- Who is on call: reads pages, and says what they were.
CREATE ROLE IF NOT EXISTS driftline_responder;

GRANT
    SELECT ON $database.schema_migrations,
    SELECT ON $database.verdict_records,
    SELECT ON $database.pages,
    INSERT, SELECT ON $database.acknowledgements
TO driftline_responder WITH REPLACE OPTION;

CREATE ROLE IF NOT EXISTS driftline_admin;

-- A server may ask for a right to each table engine. It may also run views with the rights of whoever created
-- them, so whoever migrates may also do what the views do: read the inbox, ask the dictionary, fill tables.
GRANT
    CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE DICTIONARY ON $database.*,
    INSERT, SELECT ON $database.*,
    dictGet ON $database.*,
    SYSTEM RELOAD DICTIONARY ON *.*,
    TABLE ENGINE ON Null,
    TABLE ENGINE ON MergeTree,
    TABLE ENGINE ON AggregatingMergeTree,
    TABLE ENGINE ON ReplacingMergeTree,
    TABLE ENGINE ON SummingMergeTree
TO driftline_admin WITH REPLACE OPTION;

-- The dictionaries of grids and rules ask the server they live in, as this user: from the server itself only,
-- without a password, since a password would stand in their definitions.
CREATE USER IF NOT EXISTS driftline_dictionary IDENTIFIED WITH no_password HOST LOCAL;

GRANT
    SELECT ON $database.feature_grids,
    SELECT ON $database.feature_rules
TO driftline_dictionary WITH REPLACE OPTION;
