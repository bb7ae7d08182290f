"""Grafana's HTTP API, through the library grafana-api; what it raises becomes errors that say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from grafana_api.grafana_api import GrafanaClientError, GrafanaException
from grafana_api.grafana_face import GrafanaFace

from driftline.errors import SettingError
from driftline.grafana.errors import GrafanaConflictError, GrafanaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from urllib.parse import SplitResult

_TIMEOUT_S = 15.0
_SHOWN = 300

_ADVICE = {
    401: "the token is not accepted. Make a service account with the role Editor (Admin, if data sources are "
    "to be pushed, too), and give a token of it in DRIFTLINE_GRAFANA_TOKEN_FILE",
    403: "the token may not do that. Dashboards and folders need the role Editor; data sources need Admin",
    404: "there is nothing of that kind; look at the address, and at the path that Grafana is served under",
}
_CONFLICTS = {
    "version-mismatch": "somebody changed it meanwhile; look at its version history in Grafana, then push "
    "again with --overwrite",
    "name-exists": "another one has its name or uid there; rename that one, or push again with --overwrite",
    "plugin-dashboard": "it belongs to a plugin there; remove that one first",
}


class Grafana:
    """One Grafana. Every method raises `GrafanaError` where Grafana is away or refuses.

    Args:
        url: where it is, with the path that it is served under.
        token: of a service account.

    Raises:
        SettingError: the URL or the token can't be one.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = _split(url)
        if not token.isascii() or not token.isprintable() or " " in token:
            raise SettingError("the token of Grafana holds characters that no token has")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        path = parts.path.strip("/")
        self._face = GrafanaFace(
            token,
            host=host,
            port=parts.port,
            url_path_prefix=f"{path}/" if path else "",
            protocol=parts.scheme,
            timeout=_TIMEOUT_S,
        )

    def folder(self, uid: str) -> Mapping[str, Any] | None:
        """Return a folder; None: there is none."""
        return self._found(f"folder {uid}", lambda: self._face.folder.get_folder(uid))

    def create_folder(self, uid: str, title: str) -> None:
        """Create a folder."""
        self._ask(f"folder {uid}", lambda: self._face.folder.create_folder(title, uid))

    def data_source(self, uid: str) -> Mapping[str, Any] | None:
        """Return a data source, without its secrets; None: there is none."""
        path = f"/datasources/uid/{quote(uid, safe='')}"
        return self._found(f"data source {uid}", lambda: self._face.api.GET(path))

    def create_data_source(self, source: Mapping[str, Any]) -> None:
        """Create a data source."""
        what = f"data source {source['uid']}"
        self._ask(what, lambda: self._face.datasource.create_datasource(dict(source)))

    def update_data_source(self, source: Mapping[str, Any]) -> None:
        """Put a data source in the place of the one with its uid."""
        # By uid: the library knows only the way by number, which Grafana has given up.
        path = f"/datasources/uid/{quote(source['uid'], safe='')}"
        self._ask(f"data source {source['uid']}", lambda: self._face.api.PUT(path, json=dict(source)))

    def dashboard(self, uid: str) -> Mapping[str, Any] | None:
        """Return a dashboard and its ``meta``; None: there is none."""
        return self._found(f"dashboard {uid}", lambda: self._face.dashboard.get_dashboard(uid))

    def last_message(self, uid: str) -> str:
        """Return the message with which a dashboard was saved last; empty: nothing."""
        path = f"/dashboards/uid/{quote(uid, safe='')}/versions?limit=1"
        answer = self._ask(f"versions of dashboard {uid}", lambda: self._face.api.GET(path))
        # A list until Grafana 11, since then under a name.
        versions: Sequence[Mapping[str, Any]] = answer["versions"] if isinstance(answer, dict) else answer
        return str(versions[0].get("message", "")) if versions else ""

    def save_dashboard(
        self, dashboard: Mapping[str, Any], *, folder_uid: str, message: str, overwrite: bool
    ) -> None:
        """Create or change a dashboard.

        Raises:
            GrafanaConflictError: it is not of the version that `dashboard` says.
        """
        body = {
            "dashboard": dict(dashboard),
            "folderUid": folder_uid,
            "message": message,
            "overwrite": overwrite,
        }
        self._ask(f"dashboard {dashboard['uid']}", lambda: self._face.dashboard.update_dashboard(body))

    def _found(self, what: str, ask: Callable[[], Any]) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._ask(what, ask)
        except GrafanaError as error:
            cause = error.__cause__
            # Without JSON it is no Grafana that says so, but whatever stands at a wrong address.
            if (
                isinstance(cause, GrafanaClientError)
                and cause.status_code == 404
                and isinstance(cause.response, dict)
            ):
                return None
            raise
        return found

    def _ask(self, what: str, ask: Callable[[], Any]) -> Any:
        """Ask, and tell whatever goes wrong of what was asked for."""
        try:
            answer = ask()
        except GrafanaException as error:
            raise self._refused(what, error) from error
        except (ValueError, TypeError) as error:
            # TypeError: the library looks for a message in a page that is no JSON, but holds that name.
            raise GrafanaError(
                f"{what}: {self.url} answered with something that is no JSON: that may be a login page or a "
                "proxy; give the address that Grafana itself is served under"
            ) from error
        except OSError as error:
            raise GrafanaError(
                f"Grafana at {self.url} can't be reached: {_cause(error)}; look whether it runs, and whether "
                "this host may reach it"
            ) from error
        if not isinstance(answer, (dict, list)):
            raise GrafanaError(
                f"{what}: {self.url} answered with {type(answer).__name__}, not with an object"
            )
        return answer

    def _refused(self, what: str, error: GrafanaException) -> GrafanaError:
        answer = error.response
        answered = str(answer.get("message", "")) if isinstance(answer, dict) else str(answer)
        answered = " ".join(answered.split())[:_SHOWN]
        status = str(answer.get("status", "")) if isinstance(answer, dict) else ""
        if error.status_code in (409, 412):
            advice = _CONFLICTS.get(status, "something else has its name or uid there")
            return GrafanaConflictError(f"{what}: Grafana says: {answered}: {advice}")
        advice = _ADVICE.get(error.status_code, "")
        failure = f"{what}: Grafana at {self.url} answers {error.status_code}: {answered or 'nothing'}"
        return GrafanaError(f"{failure}: {advice}" if advice else failure)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host = False
    if not has_host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise SettingError("Grafana's address is no http://host:3000 or https://host/path")
    if "@" in parts.netloc:
        raise SettingError(
            "Grafana's address holds a user or a password; give a token in DRIFTLINE_GRAFANA_TOKEN_FILE"
        )
    return parts


def _cause(error: BaseException) -> str:
    """Return what is at the root of an error, in one line."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return str(error).rpartition(">: ")[2][:_SHOWN] or type(error).__name__
