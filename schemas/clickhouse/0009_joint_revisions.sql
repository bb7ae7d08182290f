-- What was found may be found no more when events of its hours arrive late.

ALTER TABLE joint_findings
    ADD COLUMN IF NOT EXISTS withdrawn Bool DEFAULT false COMMENT 'late events took it back';
