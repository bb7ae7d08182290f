-- Of what kind a model's features are, where a team says so: a number that names something is a category, and
-- is counted as one, whatever it was logged as. Training runs say it, too, by the types of their features;
-- what stands here goes before that.
CREATE TABLE feature_kinds
(
    model_name String,
    kinds Map(String, String) COMMENT 'numeric or categorical, by the feature''s own name',
    set_at DateTime64(6, 'UTC') DEFAULT now64(6),
    CONSTRAINT model_name_given CHECK model_name != '',
    CONSTRAINT kinds_known CHECK arrayAll(kind -> kind IN ('numeric', 'categorical'), mapValues(kinds))
)
ENGINE = ReplacingMergeTree(set_at)
ORDER BY model_name;
