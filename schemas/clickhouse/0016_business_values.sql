-- What right and wrong answers are worth, as a file of monitors says. Counts stay what they are: what they
-- come to is computed when it is asked for, so a changed value holds for the past, too.
CREATE TABLE business_values
(
    model_name String,
    currency String COMMENT 'empty: nothing is set any more',
    worths Map(String, Array(Float64))
        COMMENT 'by class, empty: of yes and no; of true and false positives, true and false negatives',
    over Float64 COMMENT 'of each unit by which a number is above the truth',
    under Float64,
    set_at DateTime64(6, 'UTC') DEFAULT now64(6),
    CONSTRAINT model_name_given CHECK model_name != '',
    CONSTRAINT texts_bounded CHECK greatest(length(model_name), length(currency)) <= 2048
        AND length(worths) <= 1000 AND arrayAll(label -> length(label) <= 65536, mapKeys(worths)),
    CONSTRAINT worths_whole CHECK arrayAll(each -> length(each) = 4, mapValues(worths))
)
ENGINE = ReplacingMergeTree(set_at)
ORDER BY model_name;
