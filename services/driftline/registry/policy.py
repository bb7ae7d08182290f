"""What a team asks of who registers and who serves: a file that services and training code are pointed at.

.. code-block:: toml

    waivable = ["data"]          # what a run may leave out and say why; default: all four

    [unregistered]               # what becomes of versions that nobody registered, by environment
    production = "refuse"        # flag: shown; alert: reported, too; refuse: get no logger, too
    default = "alert"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driftline.errors import SettingError
from driftline.registry.fold import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from driftline.registry.state import ModelState

POLICY_VARIABLE: Final = "DRIFTLINE_POLICY"
"""Names the file."""

PARTS: Final = ("artifact", "code", "environment", "data")
"""What a run says, unless that is waived."""

_DEFAULT: Final = "default"


class Handling(StrEnum):
    """What becomes of a version that nobody registered."""

    FLAG = "flag"
    ALERT = "alert"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a team asks for.

    Args:
        source: the file that says so, for messages; empty: none does.
        waivable: the parts that a run may waive.
        unregistered: what becomes of unregistered versions, by environment.
        otherwise: the same for environments that are not named.
    """

    source: str = ""
    waivable: frozenset[str] = frozenset(PARTS)
    unregistered: Mapping[str, Handling] = field(default_factory=dict)
    otherwise: Handling = Handling.ALERT

    def handling(self, environment: str) -> Handling:
        """Return what becomes of a version that nobody registered and that serves in an environment."""
        return self.unregistered.get(environment, self.otherwise)

    def check_waivers(self, waived: Collection[str]) -> None:
        """Refuse waivers that are not allowed.

        Raises:
            SettingError: one is not.
        """
        for part in waived:
            if part in PARTS and part not in self.waivable:
                raise SettingError(
                    f"waive: {part} may not be waived, says the policy in {self.source}; give it, or have "
                    "the policy changed"
                )

    def check_served(self, state: ModelState | None, names: Mapping[str, str]) -> None:
        """Refuse a version that was not registered, or was made by another run.

        Args:
            state: the model's; None: nobody registered any version of it.
            names: model_name, model_version, training_run_id and environment of who serves.

        Raises:
            SettingError: it is refused.
        """
        model, version, run = names["model_name"], names["model_version"], names["training_run_id"]
        policy = f"and the policy in {self.source} refuses that in {names['environment']}"
        known = state.versions.get(version) if state else None
        if known is None:
            raise SettingError(
                f"version {version} of {model} was never registered, {policy}: register_training_run() in "
                "the training code or 'driftline runs register' does it"
            )
        if known.training_run_id != run:
            raise SettingError(
                f"version {version} of {model} was made by run {known.training_run_id}, not by {run}, "
                f"{policy}"
            )


def read_policy(name: str | None) -> Policy:
    """Return the policy of a file; without one, a policy that allows everything.

    Args:
        name: of the file; None or empty: there is none.

    Raises:
        SettingError: the file can't be read, or says something else.
    """
    if not name:
        return Policy()
    try:
        values = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"the policy in {name} (see {POLICY_VARIABLE}): {error.strerror}") from error
    except ValueError as error:  # No TOML, or no UTF-8.
        raise SettingError(f"the policy in {name}: {error}") from error
    return _policy(name, values)


def _policy(source: str, values: Mapping[str, Any]) -> Policy:
    _check_known(source, "", values, ("waivable", "unregistered"))
    waivable, unregistered = values.get("waivable", list(PARTS)), values.get("unregistered", {})
    if not isinstance(waivable, list):
        raise SettingError(f"the policy in {source}: waivable is a list of {', '.join(PARTS)}")
    _check_known(source, "waivable: ", waivable, PARTS)
    if not isinstance(unregistered, dict):
        raise SettingError(f"the policy in {source}: unregistered is a table, by environment")
    for environment, handling in unregistered.items():
        _check_known(source, f"unregistered.{environment}: ", [handling], tuple(Handling))
    handlings = {name: Handling(handling) for name, handling in unregistered.items()}
    otherwise = handlings.pop(_DEFAULT, Handling.ALERT)
    return Policy(source, frozenset(waivable), handlings, otherwise)


def _check_known(source: str, where: str, given: Collection[Any], known: Collection[str]) -> None:
    """Refuse what has no meaning here; the message names what has one, the nearest first."""
    for each in given:
        if each not in known:
            raise SettingError(
                f"the policy in {source}: {where}{each!r} is unknown; {listed(known, str(each))}"
            )
