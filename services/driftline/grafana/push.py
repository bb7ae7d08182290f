"""Bring the dashboards to Grafana, again and again: what is as it should be is left alone.

Whatever is pushed says so in Grafana's version history. A dashboard whose newest version does not say so was
changed by somebody, and is not overwritten unless that is wanted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from driftline.errors import SettingError
from driftline.grafana.errors import GrafanaConflictError
from driftline.grafana.sources import is_current

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.grafana.client import Grafana

MESSAGE = "driftline dashboards push"
PAGES_VARIABLE = "driftline_url"

Done = Literal["created", "updated", "unchanged"]
_GIVEN_BY_GRAFANA = ("id", "version")


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one thing.

    Args:
        kind: folder, data source or dashboard.
        uid: which.
        done: created, updated or unchanged.
    """

    kind: str
    uid: str
    done: Done


def dashboards_folder() -> Path:
    """Return the folder of the dashboards: inside the installed package, else at the top of a checkout.

    Raises:
        FileNotFoundError: neither is there: the installation is broken.
    """
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "dashboards" / "grafana", package.parents[1] / "dashboards" / "grafana")
    for folder in candidates:
        if any(folder.glob("*.json")):
            return folder
    raise FileNotFoundError(f"no dashboards in {candidates[0]} or {candidates[1]}")


def read_dashboards(pages_url: str | None = None) -> Sequence[dict[str, Any]]:
    """Return the dashboards, with the address of driftline's own pages put in, where one is given."""
    found = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(dashboards_folder().glob("*.json"))
    ]
    for dashboard in found:
        for variable in dashboard["templating"]["list"]:
            if pages_url is not None and variable["name"] == PAGES_VARIABLE:
                variable["query"] = pages_url.rstrip("/")
    return found


def push(
    grafana: Grafana,
    dashboards: Sequence[Mapping[str, Any]],
    *,
    folder: str,
    sources: Sequence[Mapping[str, Any]] = (),
    overwrite: bool = False,
) -> Iterator[Pushed]:
    """Push a folder, data sources and dashboards, in this order; yield what became of each once it is done.

    Args:
        grafana: where to.
        dashboards: as `read_dashboards` returns them.
        folder: title of the folder that they stand in.
        sources: data sources.
        overwrite: also what others changed.

    Raises:
        GrafanaConflictError: somebody changed dashboards, or they are provisioned from files there; all
            others were pushed.
        GrafanaError: Grafana is away or refuses.
        SettingError: the folder's title makes no uid.
    """
    folder_uid = uid_of_folder(folder)
    yield Pushed("folder", folder_uid, _push_folder(grafana, folder_uid, folder))
    for source in sources:
        yield Pushed("data source", source["uid"], _push_source(grafana, source))
    conflicts = []
    for dashboard in dashboards:
        try:
            done = _push_dashboard(grafana, dashboard, folder_uid, overwrite=overwrite)
        except GrafanaConflictError as error:
            conflicts.append(str(error))
            continue
        yield Pushed("dashboard", dashboard["uid"], done)
    if conflicts:
        raise GrafanaConflictError("\n".join(conflicts))


def uid_of_folder(title: str) -> str:
    """Return the uid that a folder gets from its title: at most 40 of A-Z, a-z, 0-9, - and _.

    Raises:
        SettingError: nothing is left of the title.
    """
    uid = re.sub(r"[^a-z0-9_]+", "-", title.lower()).strip("-")[:40]
    if not uid:
        raise SettingError(f"the folder's title {title!r} holds no letter or digit")
    return uid


def _push_folder(grafana: Grafana, uid: str, title: str) -> Done:
    if grafana.folder(uid) is not None:
        return "unchanged"
    grafana.create_folder(uid, title)
    return "created"


def _push_source(grafana: Grafana, source: Mapping[str, Any]) -> Done:
    known = grafana.data_source(source["uid"])
    if known is None:
        grafana.create_data_source(source)
        return "created"
    if is_current(known, source):
        return "unchanged"
    if known.get("readOnly"):
        raise GrafanaConflictError(
            f"data source {source['uid']}: it is provisioned from files in Grafana; change it there"
        )
    grafana.update_data_source(source)
    return "updated"


def _push_dashboard(
    grafana: Grafana, dashboard: Mapping[str, Any], folder_uid: str, *, overwrite: bool
) -> Done:
    uid = dashboard["uid"]
    known = grafana.dashboard(uid)
    if known is None:
        new = {**dashboard, "id": None}
        grafana.save_dashboard(new, folder_uid=folder_uid, message=MESSAGE, overwrite=overwrite)
        return "created"
    stored, meta = known["dashboard"], known.get("meta", {})
    if _content(stored) == _content(dashboard) and meta.get("folderUid") == folder_uid:
        return "unchanged"
    if meta.get("provisioned"):
        raise GrafanaConflictError(
            f"dashboard {uid}: it is provisioned from files in Grafana; change the files, as no push can"
        )
    if not overwrite and not grafana.last_message(uid).startswith(MESSAGE):
        raise GrafanaConflictError(
            f"dashboard {uid}: somebody changed it in Grafana since it was pushed last; save a copy of it "
            "there if that is to be kept, then push again with --overwrite"
        )
    changed = {**dashboard, "id": stored.get("id"), "version": stored.get("version")}
    grafana.save_dashboard(changed, folder_uid=folder_uid, message=MESSAGE, overwrite=overwrite)
    return "updated"


def _content(dashboard: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in dashboard.items() if name not in _GIVEN_BY_GRAFANA}
