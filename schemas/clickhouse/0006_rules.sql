-- Rules: which values are invalid. Learned from the reference, or set by hand; each value that breaks one is
-- counted while landing.
--
-- The rules of a model version are a *set*, written in one insert, so that it is seen in whole or not at all.
-- Sets are numbered by the store's clock. None is ever changed or deleted: each landed row says by which set
-- it was checked (`predictions.rules`), so counting again gives what was counted.

CREATE TABLE feature_rules
(
    model_name String,
    model_version String COMMENT 'empty: what was set by hand, for versions that have learned nothing',
    number UInt64 COMMENT 'of the set: microseconds; the largest of a version is in force',
    feature String COMMENT 'empty: the set itself',
    source String COMMENT 'learned or set; where both stand, set is in force',
    kind String COMMENT 'numeric, categorical or answer; empty: either of the first two',
    minimum Nullable(Float64),
    maximum Nullable(Float64),
    is_limited Bool COMMENT 'whether a category must be one of those allowed',
    allowed Array(String),
    may_be_missing Bool,
    may_be_absent Bool,
    may_be_not_finite Bool,
    fields Array(String) COMMENT 'of source set: what was set; the rest is as it was learned',
    chosen_from String COMMENT 'of source learned: reference or production',
    chosen_rows UInt64,
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (model_name, model_version, number, feature, source);

-- One look-up a value: all that is known of a set, a feature or a value stands under the hash of its names.
--   (model, version)       which set is in force; it changes in the same moment as the rules do
--   (set, '')              the set itself
--   (set, feature)         its rule
--   (set, feature, value)  that a category is allowed
CREATE DICTIONARY feature_rule
(
    key UInt64,
    current UInt64 DEFAULT 0,
    features UInt32 DEFAULT 0,
    required Array(String),
    kind UInt8 DEFAULT 0,
    minimum Float64 DEFAULT -inf,
    maximum Float64 DEFAULT inf,
    is_limited UInt8 DEFAULT 0,
    may_be_missing UInt8 DEFAULT 1,
    may_be_not_finite UInt8 DEFAULT 1
)
PRIMARY KEY key
SOURCE(CLICKHOUSE(USER '$dictionary_user' QUERY '
    WITH
        rules AS
        (
            SELECT
                number,
                feature,
                cityHash64(model_name, model_version) AS version,
                cityHash64(model_name, model_version, number) AS rule_set,
                max(source = \'learned\') AS is_learned,
                argMax(
                    (kind, minimum, maximum, is_limited, allowed, may_be_missing, may_be_absent,
                        may_be_not_finite), source) AS rule
            FROM $database.feature_rules GROUP BY model_name, model_version, number, feature
        )
    SELECT
        version AS key, argMax(rule_set, number) AS current,
        0 AS features, emptyArrayString() AS required,
        0 AS kind, -inf AS minimum, inf AS maximum,
        false AS is_limited, true AS may_be_missing, true AS may_be_not_finite
    FROM rules WHERE feature = \'\' GROUP BY version
    UNION ALL
    SELECT
        cityHash64(rule_set, \'\'), 0,
        if(maxIf(is_learned, feature = \'\'), countIf(feature != \'\'), 0),
        groupArrayIf(feature, feature != \'\' AND rule.1 != \'answer\' AND NOT rule.7),
        0, -inf, inf, false, true, true
    FROM rules GROUP BY rule_set
    UNION ALL
    SELECT
        cityHash64(rule_set, feature), 0, 0, emptyArrayString(),
        multiIf(rule.1 = \'numeric\', 1, rule.1 = \'categorical\', 2, 3),
        ifNull(rule.2, -inf), ifNull(rule.3, inf), rule.4, rule.6, rule.8
    FROM rules WHERE feature != \'\'
    UNION ALL
    SELECT
        cityHash64(rule_set, feature, arrayJoin(rule.5)), 0, 0, emptyArrayString(),
        3, -inf, inf, false, true, true
    FROM rules WHERE feature != \'\' AND rule.4
'))
LAYOUT(HASHED_ARRAY())
LIFETIME(0);

-- Values that broke a rule, of all environments but the reference, which makes the rules. The answer's parts
-- stand under prediction, prediction.number, prediction.label and so on. Marks as in the profiles.
CREATE TABLE invalid_values
(
    model_name LowCardinality(String),
    model_version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    feature LowCardinality(String),
    reason LowCardinality(String),
    minute DateTime('UTC') CODEC(Delta, ZSTD),
    block UInt64 CODEC(ZSTD),
    count SimpleAggregateFunction(sum, UInt64),
    example SimpleAggregateFunction(max, Tuple(DateTime64(6, 'UTC'), UUID))
        COMMENT 'the newest such event of the minute: its time and its id'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (model_name, model_version, environment, segment, feature, reason, minute, block)
SETTINGS non_replicated_deduplication_window = 10000;

-- Each value, and each part of the answer, is checked by one look-up. Rows without rules take part in the
-- marks alone; all is grouped once more, so that it is one part. It is kept short, since it is planned anew
-- for each block that lands.
CREATE MATERIALIZED VIEW invalid_values_view TO invalid_values AS
SELECT
    model AS model_name,
    version AS model_version,
    place AS environment,
    '' AS segment,
    name AS feature,
    transform(
        name,
        ['prediction', 'prediction.probabilities', 'prediction.probability_sum'],
        ['no_prediction', 'probability_range', 'probability_sum'],
        ['type', 'not_finite', 'below_range', 'above_range', 'not_allowed', 'missing', 'absent',
            'unknown_feature'][code]) AS reason,
    time AS minute,
    landed AS block,
    sum(counted) AS count,
    max(newest) AS example
FROM
(
    SELECT
        '' AS model, toString(model_name) AS version, '' AS place, '' AS name, 0 AS code,
        toDateTime(toStartOfMonth(event_time), 'UTC') AS time,
        block AS landed,
        0 AS counted,
        (toDateTime64(0, 6, 'UTC'), toUUID('00000000-0000-0000-0000-000000000000')) AS newest
    FROM prediction_inbox
    GROUP BY version, time, landed
    UNION ALL
    SELECT
        model_name, model_version, environment, broken.1 AS name, broken.2 AS code,
        toStartOfMinute(event_time) AS time, 0, count(), max((event_time, event_id))
    FROM
    (
        SELECT
            *,
            arrayMap(
                (name, number, category, rule) -> multiIf(
                    rule.1 = 0, 8,
                    isNotNull(number), multiIf(
                        rule.1 = 2, 1,
                        NOT isFinite(number), if(rule.6, 0, 2),
                        number < rule.2, 3,
                        number > rule.3, 4,
                        0),
                    isNotNull(category), multiIf(
                        rule.1 = 1, 1,
                        rule.4 AND NOT dictHas(
                            '$database.feature_rule', cityHash64(rules, name, category)), 5,
                        0),
                    rule.5, 0,
                    6),
                names,
                numbers,
                categories,
                arrayMap(
                    name -> dictGet(
                        '$database.feature_rule',
                        ('kind', 'minimum', 'maximum', 'is_limited', 'may_be_missing', 'may_be_not_finite'),
                        cityHash64(rules, name)),
                    names)) AS codes,
            dictGet('$database.feature_rule', ('features', 'required'), cityHash64(rules, '')) AS this_set
        FROM
        (
            SELECT
                event_time, event_id, model_name, model_version, environment, rules,
                arrayConcat(
                    mapKeys(numeric_features),
                    ['prediction.number', 'prediction.latency_us', 'prediction.compute_us',
                        'prediction.probabilities', 'prediction.probability_sum', 'prediction'],
                    mapKeys(categorical_features),
                    ['prediction.label'],
                    missing_features) AS names,
                arrayResize(
                    arrayConcat(
                        mapValues(numeric_features),
                        [
                            prediction_number,
                            toFloat64(latency_us),
                            toFloat64(compute_us),
                            arrayFirstOrNull(p -> NOT (p >= 0 AND p <= 1), mapValues(class_probabilities)),
                            if(empty(class_probabilities), NULL, arraySum(mapValues(class_probabilities))),
                            if(prediction_number IS NULL AND prediction_label IS NULL, NULL, 0)]),
                    length(names)) AS numbers,
                arrayResize(
                    arrayConcat(
                        arrayResize([CAST(NULL, 'Nullable(String)')], length(numeric_features) + 6),
                        mapValues(categorical_features),
                        [prediction_label]),
                    length(names)) AS categories
            FROM prediction_inbox
            WHERE rules != 0
        )
    )
    ARRAY JOIN arrayConcat(
        if(arraySum(codes) = 0, [], arrayFilter(pair -> pair.2 != 0, arrayZip(names, codes))),
        if(
            length(names) = this_set.1 AND NOT has(codes, 8),
            [],
            arrayMap(name -> (name, 7), arrayFilter(name -> NOT has(names, name), this_set.2)))) AS broken
    WHERE broken.2 != 8 OR (this_set.1 > 0 AND NOT startsWith(broken.1, 'prediction.'))
    GROUP BY model_name, model_version, environment, name, code, time
)
GROUP BY model, version, place, name, code, time, landed;
