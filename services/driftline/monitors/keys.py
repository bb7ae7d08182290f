"""Every key that a file of monitors may hold, as models of pydantic. A test compares them with the docs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from driftline.monitors.scalars import (
    BETWEEN,
    FROM_TO,
    HOURS_PER_WEEK,
    IANA_NAME,
    INTERVAL,
    LABEL_PATTERN,
    NAMES_OF,
    NUMBER,
    PLACE,
    SEGMENT,
    STEP,
    THIS_VERSION,
    TRUTH,
    choice_of,
    hours_within,
    label_wrong,
    list_of,
    or_off,
    segments_wrong,
    text_of,
    whole_within,
    windows_wrong,
    zone_of,
)
from driftline.monitors.values import LOGGED, OFF, Kind, Named, Scalar, nearest, read_mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Hours = Annotated[int, hours_within(1)]
Effect = Annotated[float, BETWEEN]
Flag = Annotated[bool, TRUTH]
Bound = Annotated[float, or_off(NUMBER)]
Categories = Annotated[tuple[str, ...], or_off(list_of(text_of("a category, as it is written")))]
Windows = Annotated[
    tuple[int, ...], list_of(hours_within(1, HOURS_PER_WEEK), ", ascending", wrong=windows_wrong)
]
Segments = Annotated[tuple[str, ...], list_of(SEGMENT, least=0, wrong=segments_wrong)]
Names = Annotated[tuple[str, ...], list_of(text_of("a feature, or a pattern with `*`"), least=0)]
Events = Annotated[
    dict[str, Annotated[tuple[tuple[datetime, datetime], ...], list_of(INTERVAL)]],
    Named(
        f"a mapping from names of events; each holds a list of which each item is {INTERVAL.allowed}",
        "names of events",
    ),
]
Labels = Annotated[
    dict[str, Annotated[str, text_of("a text")]],
    Named(
        "a mapping from names of labels; each holds a text",
        "names of labels",
        wrong=label_wrong,
        schema_names=LABEL_PATTERN,
    ),
]


def _key(about: str, default: Any = None, *, alias: str | None = None) -> Any:
    return Field(default, description=about, alias=alias)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section.

    Args:
        name: as the file writes it.
        field: of the section's class; a setting of the judge has the setting's name.
        kind: what its value is; None where it is a section.
        about: what it does, in a sentence.
        default: what holds without it, as the section's class has it.
    """

    name: str
    field: str
    kind: Kind | None
    about: str
    default: Any

    @property
    def is_setting(self) -> bool:
        """Whether it is a setting of the judge, which has the default."""
        return self.default is None


def keys_of(section: type[BaseModel]) -> Iterator[Key]:
    """Yield the keys of a section, in the order of the documentation."""
    for name, field in section.model_fields.items():
        kind = next((each for each in field.metadata if isinstance(each, Kind)), None)
        yield Key(field.alias or name, name, kind, field.description or "", field.default)


class Section(BaseModel):
    """A mapping whose keys are known."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Where keys belong that are often looked for here."""

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        names = [key.name for key in keys_of(cls)]
        belongs = f"keys belong (allowed here: {', '.join(names)})"
        return read_mapping(
            value,
            belongs,
            lambda given: ((name, cls._unknown(name, names)) for name in given if name not in names),
            handler,
        )

    @classmethod
    def _unknown(cls, name: str, names: Sequence[str]) -> str:
        if name in cls.elsewhere:
            return f"there is no such key here; it belongs {cls.elsewhere[name]}"
        hint = f"; did you mean {near}?" if (near := nearest(name, names)) else ""
        return f"there is no such key{hint} (allowed here: {', '.join(names)})"

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        schema = handler(core)
        handler.resolve_ref_schema(schema).update({"type": ["object", "null"], "additionalProperties": False})
        return dict(schema)


class Feature(Section):
    """What may be set for one feature; None switches a rule off."""

    elsewhere: ClassVar = {"ignore": "to the model: write ignore_features: [...] there"}
    minimum: Bound = _key("A smaller number is an invalid value.")
    maximum: Bound = _key("A larger number is an invalid value.")
    allowed: Categories = _key("Another category is an invalid value.")
    may_be_missing: Flag = _key("Whether an event may say that it has no value.")
    may_be_absent: Flag = _key("Whether an event may leave it out.")
    may_be_not_finite: Flag = _key("Whether it may be NaN or infinite.")
    rules: Annotated[str, choice_of("learned", OFF)] = _key("`off`: no value of it is invalid.", "learned")
    warn_only: Flag = _key("Drift of this feature only warns; it never pages.", default=False)
    kind: Annotated[str, choice_of(LOGGED, "numeric", "categorical")] = _key(
        "`categorical`: its numbers name something, and are counted as categories.", LOGGED
    )


class Retrain(Section):
    """When a model may be trained again without being asked; docs/lifecycle.md."""

    enabled: Flag = _key("Whether it may be trained again by itself at all.", default=False)
    window_hours: Hours = _key("No fault may lie within so many hours.", 168)
    lasting_hours: Hours = _key("The cause has lasted for so long.", 24)
    cooldown_hours: Hours = _key("So long after it was trained it is not again.", 168)
    monthly_budget: Annotated[int, whole_within(0, 1000)] = _key("So often in 30 days at most.", 4)
    minimum_labels: Annotated[int, whole_within(1)] = _key("So many mature truths of its newest week.", 1000)
    backoff_hours: Hours = _key("So long after a failed gate; twice as long after each further one.", 24)
    approval: Flag = _key("Whether a person has to approve it.", default=False)
    webhook: Annotated[str, text_of("a URL")] = _key("What is called, signed, to have it trained.", "")
    webhook_secret_file: Annotated[str, text_of("a path")] = _key("Holds the secret of the signature.", "")
    command: Annotated[str, text_of("a command")] = _key("What is run to have it trained.", "")


Number = Annotated[float, NUMBER]


class ClassWorth(Section):
    """What an answer about one class is worth."""

    true_positive: Number = _key("It was answered, and came true.", 0.0)
    false_positive: Number = _key("It was answered, and did not come true.", 0.0)
    true_negative: Number = _key("It was not answered, and did not come true.", 0.0)
    false_negative: Number = _key("It was not answered, and came true.", 0.0)


class BusinessValue(ClassWorth):
    """What answers are worth; docs/performance.md."""

    over: Number = _key("A number is one unit above the truth.", 0.0)
    under: Number = _key("A number is one unit below the truth.", 0.0)
    classes: Annotated[dict[str, ClassWorth], Named("see below", "labels", schema_names="^.+$")] = _key(
        "Of answers that are labels: the first four keys of each.", {}
    )
    currency: Annotated[str, text_of("a text, such as EUR")] = _key("In which all of it is.", "")


Features = Annotated[dict[str, Feature], Named("see below", NAMES_OF.format("features"), in_order=True)]


class Model(Section):
    """What may be set for one model. What has no default here is a setting of the judge, which has one."""

    elsewhere: ClassVar = {
        **dict.fromkeys(("version", "models", "defaults"), "at the top of the file"),
        **dict.fromkeys(
            Feature.model_fields.keys() - {"warn_only"}, "under features, under the feature's name"
        ),
    }
    page_budget_hours: Hours = _key("At most one false page in so many hours.")
    minimum_effect: Effect = _key("A page says that surely more than this share of rows moved.")
    warn_effect: Effect = _key("A warning says that surely something moved, and by this much.")
    scales_hours: Windows = _key("The lengths of the windows that are judged.", alias="windows_hours")
    reference_weeks: Annotated[int, whole_within(2, 52)] = _key(
        "How much of the past is the reference that production is compared with."
    )
    hour_of_day_after_hours: Hours = _key(
        "A younger production reference is still `learning` and never pages."
    )
    hour_of_week_after_hours: Hours = _key(
        "A younger reference is matched by hour of the day, not of the week."
    )
    minimum_sample: Annotated[int, whole_within(1)] = _key(
        "A window with fewer events is `insufficient_data`."
    )
    minimum_completeness: Annotated[float, FROM_TO] = _key(
        "A window of which a smaller share of its events arrived is `incomplete`."
    )
    quiet_hours: Hours = _key(
        "What pages within so many hours of the last page belongs to the same incident."
    )
    accept_after_hours: Hours = _key("What has paged for so long is the new normal.")
    stuck_hours: Hours = _key("A number that shows one single value for so long is stuck.")
    controller_step: Annotated[float, STEP] = _key(
        "How much stricter an unconfirmed incident makes the next ones (in logarithms); 0: not at all."
    )
    timezone: Annotated[str, Scalar(IANA_NAME, "a time zone", zone_of, {"type": "string"}, is_text=True)] = (
        _key("The clock that the traffic follows.")
    )
    holidays: Annotated[tuple[str, ...], list_of(PLACE, least=0)] = _key(
        "Whose public holidays are unlike ordinary days, by that clock."
    )
    enabled: Flag = _key("Whether the model is judged at all; it is logged and landed anyway.", default=True)
    warn_only: Flag = _key("Drift of this model only warns; it never pages.", default=False)
    joint: Annotated[str, choice_of("warn", OFF)] = _key(
        "The check of features together; it only warns.", "warn"
    )
    segments: Segments = _key("Slices of the traffic that are judged by themselves, too.", ())
    ignore_features: Names = _key("Features that are counted, and not judged.", ())
    features: Features = _key("What holds for single features.", {})
    events: Events = _key("What is planned: when its hours are unlike ordinary ones.", {})
    retrain: Retrain = _key("When it may be trained again by itself.", Retrain())
    business_value: BusinessValue = _key(
        "What right and wrong answers are worth; a cost is negative.", BusinessValue()
    )
    labels: Labels = _key("`team` goes with the model's alerts, to route them; others are for you.", {})


Models = Annotated[dict[str, Model], Named("see below", NAMES_OF.format("models"), in_order=True)]


class File(Section):
    """A whole file."""

    elsewhere: ClassVar = dict.fromkeys(
        [field.alias or name for name, field in Model.model_fields.items()],
        "under defaults, or under a model",
    )
    version: Annotated[int, THIS_VERSION] = _key("The version of this format.")
    defaults: Model = _key("What holds for every model that does not say otherwise.", Model())
    models: Models = _key("What holds for one model, or for those of a pattern.", {})
