"""Statements that a role does not allow, which a server refuses."""

from __future__ import annotations

DENIED = {
    "lander": [
        "SELECT actual_number FROM outcomes",
        "SELECT * FROM drift_verdicts",
        "INSERT INTO verdict_records (model_name) VALUES ('m')",
        "DELETE FROM predictions WHERE 1",
        "ALTER TABLE predictions DROP COLUMN tags",
        "INSERT INTO profiles (model_name) VALUES ('m')",
        "DROP TABLE predictions",
        "INSERT INTO schema_migrations (number) VALUES (99)",
    ],
    "profiler": [
        "INSERT INTO outcomes (model_name) VALUES ('m')",
        "DELETE FROM performance_hours WHERE 1",
        "INSERT INTO predictions (model_name) VALUES ('m')",
        "INSERT INTO monitored_segments (model_name) VALUES ('m')",
        "INSERT INTO verdict_records (model_name) VALUES ('m')",
        "DELETE FROM predictions WHERE 1",
        "DELETE FROM derived_hours WHERE 1",
        "TRUNCATE TABLE profiles",
        "ALTER TABLE profiles UPDATE count = 0 WHERE 1",
        "ALTER TABLE audit_rows UPDATE hour = hour + 1 WHERE 1",
        "DELETE FROM audit_links WHERE 1",
    ],
    "watcher": [
        "SELECT * FROM outcomes",
        "INSERT INTO profiles (model_name) VALUES ('m')",
        "INSERT INTO derived_hours (model_name) VALUES ('m')",
        "INSERT INTO predictions (model_name) VALUES ('m')",
        "INSERT INTO feature_grids (model_name) VALUES ('m')",
        "DELETE FROM verdict_records WHERE 1",
        "INSERT INTO acknowledgements (incident_id, acknowledgement) VALUES ('p', 'real')",
    ],
    "reader": [
        "INSERT INTO predictions (model_name) VALUES ('m')",
        "INSERT INTO verdict_records (model_name) VALUES ('m')",
        "INSERT INTO training_runs (model_name) VALUES ('m')",
        "DELETE FROM profiles WHERE 1",
        "DROP TABLE outcomes",
        "INSERT INTO audit_links (model_name) VALUES ('m')",
        "DELETE FROM access_log WHERE 1",
        "INSERT INTO acknowledgements (incident_id, acknowledgement) VALUES ('p', 'real')",
    ],
    "responder": [
        "SELECT * FROM predictions",
        "INSERT INTO incidents (incident_id) VALUES ('p')",
        "INSERT INTO verdict_records (model_name) VALUES ('m')",
        "DELETE FROM acknowledgements WHERE 1",
    ],
    "trainer": [
        "INSERT INTO predictions (model_name) VALUES ('m')",
        "INSERT INTO acknowledgements (incident_id, acknowledgement) VALUES ('p', 'real')",
        "INSERT INTO registry_events (model_name) VALUES ('m')",
        "DELETE FROM snapshots WHERE 1",
        "ALTER TABLE retrain_decisions UPDATE action = 'retrain' WHERE 1",
        "SELECT * FROM access_log",
    ],
    "admin": [
        "DROP TABLE predictions",
        "TRUNCATE TABLE predictions",
        "DELETE FROM predictions WHERE 1",
    ],
}
DENIED_TO_ALL = [
    "CREATE TABLE other.t (n UInt8) ENGINE = MergeTree ORDER BY n",
    "CREATE DATABASE other",
    "CREATE USER mallory",
    "GRANT SELECT ON driftline.predictions TO default",
    "SELECT * FROM system.users",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'n UInt8')",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1:1', 'system', 'one')",
    "DROP DATABASE driftline",
]
