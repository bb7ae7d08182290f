-- One role a service, with what the service needs and no more. `driftline migrate --users` creates them;
-- doing it again makes each hold exactly what stands here. Nothing here is needed by an embedded store.

CREATE ROLE IF NOT EXISTS driftline_lander;

-- Views run with the rights of whoever inserts into what they read: hence SELECT on the inbox, which holds no
-- row, on training runs and on sessions. Of a range that may have landed before, the lander asks what is
-- there, and which inserts are at work.
GRANT
    SELECT ON $database.schema_migrations,
    INSERT, SELECT ON $database.prediction_inbox,
    SELECT ON $database.predictions,
    INSERT ON $database.outcomes,
    INSERT ON $database.registry_events,
    INSERT, SELECT ON $database.training_run_events,
    INSERT, SELECT ON $database.sessions,
    INSERT, SELECT ON $database.dead_letters,
    INSERT ON $database.landing_progress,
    SELECT(query, query_id, query_kind) ON system.processes
TO driftline_lander WITH REPLACE OPTION;

CREATE ROLE IF NOT EXISTS driftline_profiler;

-- Deletes what no pointer names any more. Inserting into an AggregateFunction takes nothing more. It seals,
-- too, and can change nothing that it has sealed.
GRANT
    SELECT ON $database.schema_migrations,
    SELECT ON $database.predictions,
    SELECT ON $database.outcomes,
    INSERT, SELECT ON $database.performance_hours,
    INSERT, SELECT, ALTER DELETE ON $database.performance_counts,
    SELECT ON $database.registrations,
    SELECT ON $database.current_references,
    INSERT, SELECT ON $database.derived_hours,
    INSERT, SELECT ON $database.profiling_progress,
    INSERT, SELECT, ALTER DELETE ON $database.profiles,
    INSERT, SELECT, ALTER DELETE ON $database.session_hours,
    INSERT, SELECT, ALTER DELETE ON $database.invalid_values,
    INSERT, SELECT ON $database.feature_grids,
    SELECT ON $database.monitored_segments,
    SELECT ON $database.business_values,
    SELECT ON $database.feature_kinds,
    SELECT(model_name, features, landed_at, log_offset) ON $database.training_run_events,
    INSERT, SELECT ON $database.feature_rules,
    INSERT, SELECT ON $database.audit_rows,
    INSERT, SELECT ON $database.audit_links,
    INSERT, SELECT ON $database.audit_heads,
    SELECT(database, table, partition_id, active, max_block_number) ON system.parts
TO driftline_profiler WITH REPLACE OPTION;

CREATE ROLE IF NOT EXISTS driftline_watcher;

GRANT
    SELECT ON $database.schema_migrations,
    SELECT ON $database.predictions,
    SELECT ON $database.derived_hours,
    SELECT ON $database.profiling_progress,
    SELECT ON $database.profiles,
    SELECT ON $database.session_hours,
    SELECT ON $database.invalid_values,
    SELECT ON $database.feature_grids,
    SELECT ON $database.registry_events,
    SELECT ON $database.training_runs,
    SELECT ON $database.registrations,
    SELECT ON $database.current_references,
    SELECT ON $database.sessions,
    SELECT ON $database.session_drops,
    SELECT ON $database.dead_letters,
    SELECT(database, table, partition_id, active, max_block_number) ON system.parts,
    SELECT(free_space, total_space) ON system.disks,
    INSERT, SELECT ON $database.monitored_segments,
    INSERT, SELECT ON $database.business_values,
    INSERT, SELECT ON $database.feature_kinds,
    SELECT(model_name, features, landed_at, log_offset) ON $database.training_run_events,
    INSERT, SELECT ON $database.feature_rules,
    INSERT, SELECT ON $database.joint_projections,
    INSERT, SELECT ON $database.joint_profiles,
    INSERT, SELECT ON $database.joint_findings,
    INSERT, SELECT ON $database.judged_hours,
    INSERT, SELECT ON $database.verdict_records,
    INSERT, SELECT ON $database.incidents,
    SELECT ON $database.acknowledgements,
    SELECT ON $database.planned_events,
    SELECT ON $database.landing_progress
TO driftline_watcher WITH REPLACE OPTION;

-- Changes nothing; that it looked at a prediction is added to the access log.
CREATE ROLE IF NOT EXISTS driftline_reader;

GRANT
    SELECT ON $database.schema_migrations,
    SELECT ON $database.predictions,
    SELECT ON $database.derived_hours,
    SELECT ON $database.profiling_progress,
    SELECT ON $database.profiles,
    SELECT ON $database.session_hours,
    SELECT ON $database.invalid_values,
    SELECT ON $database.monitored_segments,
    SELECT ON $database.business_values,
    SELECT ON $database.feature_kinds,
    SELECT ON $database.feature_rules,
    SELECT ON $database.feature_grids,
    SELECT ON $database.outcomes,
    SELECT ON $database.performance_hours,
    SELECT ON $database.performance_counts,
    SELECT ON $database.registry_events,
    SELECT ON $database.training_run_events,
    SELECT ON $database.training_runs,
    SELECT ON $database.registrations,
    SELECT ON $database.current_references,
    SELECT ON $database.sessions,
    SELECT ON $database.session_drops,
    SELECT ON $database.dead_letters,
    SELECT ON $database.verdict_records,
    SELECT ON $database.drift_verdicts,
    SELECT ON $database.judged_hours,
    SELECT ON $database.incidents,
    SELECT ON $database.acknowledgements,
    SELECT ON $database.planned_events,
    SELECT ON $database.audit_rows,
    SELECT ON $database.audit_links,
    SELECT ON $database.audit_heads,
    SELECT ON $database.feature_definitions,
    SELECT ON $database.feature_values,
    SELECT ON $database.snapshots,
    SELECT ON $database.retrain_decisions,
    SELECT ON $database.retrain_permissions,
    SELECT ON $database.pipeline_claims,
    SELECT ON $database.pipeline_steps,
    SELECT ON $database.gate_reports,
    INSERT, SELECT ON $database.access_log,
    SELECT(database, name, engine_full) ON system.tables
TO driftline_reader WITH REPLACE OPTION;

-- Who is on call: reads incidents, and says what they were, and what is planned.
CREATE ROLE IF NOT EXISTS driftline_responder;

GRANT
    SELECT ON $database.schema_migrations,
    SELECT ON $database.verdict_records,
    SELECT ON $database.judged_hours,
    SELECT ON $database.incidents,
    INSERT, SELECT ON $database.acknowledgements,
    INSERT, SELECT ON $database.planned_events
TO driftline_responder WITH REPLACE OPTION;

-- Who registers features, pushes their values, and brings them online. Neither is ever changed.
CREATE ROLE IF NOT EXISTS driftline_features;

GRANT
    SELECT ON $database.schema_migrations,
    INSERT, SELECT ON $database.feature_definitions,
    INSERT, SELECT ON $database.feature_values
TO driftline_features WITH REPLACE OPTION;

-- Who trains again: reads what was logged, judged and decided, and adds snapshots, comparisons and decisions.
CREATE ROLE IF NOT EXISTS driftline_trainer;

GRANT
    SELECT ON $database.schema_migrations,
    SELECT ON $database.predictions,
    SELECT ON $database.outcomes,
    SELECT ON $database.derived_hours,
    SELECT ON $database.profiling_progress,
    SELECT ON $database.session_hours,
    SELECT ON $database.sessions,
    SELECT ON $database.session_drops,
    SELECT ON $database.dead_letters,
    SELECT ON $database.invalid_values,
    SELECT ON $database.performance_hours,
    SELECT ON $database.performance_counts,
    SELECT ON $database.registry_events,
    SELECT ON $database.training_run_events,
    SELECT ON $database.judged_hours,
    SELECT ON $database.incidents,
    SELECT ON $database.acknowledgements,
    INSERT, SELECT ON $database.snapshots,
    INSERT, SELECT ON $database.gate_reports,
    INSERT, SELECT ON $database.retrain_decisions,
    INSERT, SELECT ON $database.retrain_permissions,
    INSERT, SELECT ON $database.pipeline_claims,
    INSERT, SELECT ON $database.pipeline_steps,
    INSERT ON $database.access_log
TO driftline_trainer WITH REPLACE OPTION;

CREATE ROLE IF NOT EXISTS driftline_admin;

-- A server may ask for a right to each table engine. It may also run the view with the rights of whoever
-- created it, so whoever migrates may also do what the view does: read the inbox, fill the table.
GRANT
    CREATE DATABASE, CREATE TABLE, CREATE VIEW ON $database.*,
    INSERT, SELECT ON $database.*,
    TABLE ENGINE ON Null,
    TABLE ENGINE ON MergeTree,
    TABLE ENGINE ON ReplacingMergeTree,
    TABLE ENGINE ON AggregatingMergeTree
TO driftline_admin WITH REPLACE OPTION;
