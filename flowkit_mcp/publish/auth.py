"""Signing in to YouTube channels with the user's own OAuth client, side by side.

Installed-app flow of google-auth-oauthlib: loopback redirect, PKCE and state by the library (media.md §7.4).
Which channels there are stands in `channels.json` without secrets; the sign-ins are in the `KeyStore`.
"""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from flowkit_mcp.config import Settings
from flowkit_mcp.errors import Conflict, InvalidSetting, NotFound, PublishNeedsPerson
from flowkit_mcp.publish.client import client, local, translated
from flowkit_mcp.publish.keys import FileKeys, KeyStore, key_store

if TYPE_CHECKING:
    from google.oauth2.credentials import Credentials

UPLOAD = "https://www.googleapis.com/auth/youtube.upload"
READ = "https://www.googleapis.com/auth/youtube.readonly"
#: Captions and playlists want this wider one (media.md §7.3); asked for only on demand.
MANAGE = "https://www.googleapis.com/auth/youtube.force-ssl"
REVOKE = "https://oauth2.googleapis.com/revoke"
POINTER = "flowkit-pointer"
FRESH = timedelta(minutes=5)

HOW_TO_GET_A_CLIENT = """FlowKit signs in with an OAuth client of your own. Once, in five steps:
1. Open console.cloud.google.com, make a project, and enable "YouTube Data API v3" in APIs & Services.
2. OAuth consent screen: External, your e-mail address, and yourself as test user. "Publish app" keeps sign-ins
   from ending after 7 days.
3. Credentials, Create credentials, OAuth client ID, type "Desktop app".
4. Download its JSON file.
5. Save it as {file} and run: flowkit-mcp youtube login"""


class Channel(BaseModel):
    """A channel that is signed in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str  #: as the person calls it; YouTube's title if they gave none
    title: str
    scopes: tuple[str, ...]
    signed_in_at: int  #: ms

    @property
    def manages(self) -> bool:
        """Whether captions and playlists can be changed with this sign-in."""
        return MANAGE in self.scopes


_channels: TypeAdapter[list[Channel]] = TypeAdapter(list[Channel])


class SignIns:
    """The channels of one library. Blocking; every method may be called from a thread."""

    def __init__(self, folder: Path, keys: KeyStore, root: str | None = None) -> None:
        """`folder` holds `client.json` and `channels.json`; `root` is a local stand-in for YouTube."""
        self.folder = folder
        self._keys = keys
        self._root = None if root is None else local(root)

    @property
    def client_file(self) -> Path:
        return self.folder / "client.json"

    @property
    def kept_in(self) -> str:
        """Where sign-ins are, in words."""
        return self._keys.name

    @property
    def local(self) -> bool:
        """Whether films go to a stand-in on this machine."""
        return self._root is not None

    def watch(self, video_id: str) -> str:
        """The address at which people see a video."""
        if self._root is None:
            return f"https://www.youtube.com/watch?v={video_id}"
        return f"{self._root}/watch/{video_id}"

    def channels(self) -> list[Channel]:
        """Who is signed in, oldest first."""
        try:
            return _channels.validate_json((self.folder / "channels.json").read_bytes())
        except FileNotFoundError:
            return []
        except ValidationError as error:
            raise InvalidSetting(
                f"{self.folder / 'channels.json'} is damaged", hint="Delete it and sign in again."
            ) from error

    def channel(self, name: str | None) -> Channel:
        """By name or id; without one the only channel there is.

        Raises:
            NotFound, Conflict.
        """
        found = self.channels()
        names = ", ".join(repr(one.name) for one in found)
        if name is None:
            if len(found) == 1:
                return found[0]
            if not found:
                raise NotFound(
                    "no YouTube channel is signed in", hint="Run: flowkit-mcp youtube login"
                )
            raise Conflict("several channels are signed in", hint=f"Pass channel, one of: {names}.")
        for one in found:
            if name in (one.name, one.id):
                return one
        raise NotFound(
            f"channel {name!r} is not signed in",
            hint=f"Signed in: {names}." if found else "Run: flowkit-mcp youtube login",
        )

    def login(
        self,
        now: int,
        *,
        name: str | None = None,
        manage: bool = False,
        open_browser: bool = True,
        show: Callable[[str], None] = print,
        timeout_s: int = 300,
    ) -> Channel:
        """Let the person agree in their browser; returns the channel they chose.

        Args:
            now: ms.
            name: what to call it; YouTube's title if left out.
            manage: also ask for captions and playlists.
            open_browser: else only the address is shown.
            show: is given the address to open.
            timeout_s: how long to wait for the person.

        Raises:
            InvalidSetting: the client file is missing (says how to get one) or wrong.
            PublishNeedsPerson: they did not agree, or the account has no channel.
        """
        from google_auth_oauthlib.flow import (  # late: only to sign in
            InstalledAppFlow,
            WSGITimeoutError,
        )
        from oauthlib.oauth2 import OAuth2Error  # late: as above

        config = self._client_config()
        scopes = [UPLOAD, READ, *([MANAGE] if manage else [])]
        library: Any = InstalledAppFlow  # it comes without types
        flow = library.from_client_config(config, scopes)
        webbrowser.register(POINTER, None, _Pointer(show, really=open_browser))
        try:
            credentials = flow.run_local_server(
                host="127.0.0.1",
                port=0,
                browser=POINTER,
                authorization_prompt_message=None,  # the library would print, and stdout may be a protocol
                success_message="FlowKit is signed in. You can close this page.",
                timeout_seconds=timeout_s,
                prompt="consent",
                access_type="offline",
            )
        except (OAuth2Error, WSGITimeoutError) as error:
            raise PublishNeedsPerson(
                "the sign-in was not finished", hint="Run: flowkit-mcp youtube login, and agree."
            ) from error
        return self._keep(credentials, now, name, tuple(credentials.granted_scopes or scopes))

    def enter_stand_in(self, now: int, token: str, *, name: str | None = None) -> Channel:
        """Sign in to a local stand-in for YouTube, which has no page to agree on. `now` in ms."""
        from google.oauth2.credentials import Credentials  # late: only to publish

        if self._root is None:
            raise InvalidSetting("there is no local stand-in for YouTube", hint="Use login.")
        library: Any = Credentials
        credentials = library(
            token=token,
            refresh_token=token,
            token_uri=f"{self._root}/token",
            client_id="stand-in",
            client_secret="stand-in",
            scopes=[UPLOAD, READ, MANAGE],
        )
        return self._keep(credentials, now, name, (UPLOAD, READ, MANAGE))

    def _keep(
        self, credentials: Any, now: int, name: str | None, scopes: tuple[str, ...]
    ) -> Channel:
        """Ask whose channel it is, and remember the sign-in."""
        try:
            with closing(client(credentials, self._root)) as youtube:
                found = youtube.channels().list(part="snippet", mine=True).execute().get("items")
        except Exception as error:  # Google's libraries raise many kinds
            raise translated(error, datetime.fromtimestamp(now / 1000, UTC)) from None
        if not found:
            raise PublishNeedsPerson(
                "this account has no YouTube channel",
                hint="Make one at youtube.com, then sign in again.",
            )
        title = str(found[0]["snippet"]["title"])
        channel = Channel(
            id=found[0]["id"], name=name or title, title=title, scopes=scopes, signed_in_at=now
        )
        others = [one for one in self.channels() if one.id != channel.id]
        if any(one.name == channel.name for one in others):
            raise Conflict(
                f"another channel is called {channel.name!r}",
                hint="Pass --channel with another name.",
            )
        self._keys.set(channel.id, credentials.to_json())
        self._write([*others, channel])
        return channel

    def credentials(self, channel: Channel, now: int) -> Credentials:
        """Good for at least five minutes; refreshed and kept again where needed. `now` in ms.

        Raises:
            PublishNeedsPerson: sign in again.
        """
        import requests  # late: comes with google-auth-oauthlib, only to publish
        from google.auth.transport.requests import Request  # late: as above
        from google.oauth2.credentials import Credentials  # late: as above

        kept = self._keys.get(channel.id)
        if kept is None:
            raise PublishNeedsPerson(
                f"the sign-in of {channel.name!r} is gone", hint="Run: flowkit-mcp youtube login"
            )
        library: Any = Credentials
        info = json.loads(kept)
        # `from_authorized_user_info` would put Google's own address in place of `token_uri`
        credentials = library(
            token=info["token"],
            refresh_token=info["refresh_token"],
            # a stand-in is on another port each time
            token_uri=info["token_uri"] if self._root is None else f"{self._root}/token",
            client_id=info["client_id"],
            client_secret=info["client_secret"],
            scopes=info["scopes"],
            expiry=_expiry(info.get("expiry")),
        )
        at = datetime.fromtimestamp(now / 1000, UTC).replace(tzinfo=None)  # the library's form
        if credentials.expiry is None or credentials.expiry - at < FRESH:
            try:
                with requests.Session() as session:
                    credentials.refresh(Request(session))
            except Exception as error:  # Google's libraries raise many kinds
                raise translated(error, datetime.fromtimestamp(now / 1000, UTC)) from None
            self._keys.set(channel.id, credentials.to_json())
        return credentials

    @contextmanager
    def youtube(self, channel: Channel, now: int) -> Generator[Any]:
        """The client resource of a channel; its connections end with the block. Raises PublishNeedsPerson."""
        with closing(client(self.credentials(channel, now), self._root)) as youtube:
            yield youtube

    def logout(self, name: str | None) -> Channel:
        """Take the sign-in back at Google, as far as it can be reached, and forget it here."""
        import requests  # late: comes with google-auth-oauthlib, only to sign out

        channel = self.channel(name)
        kept = self._keys.get(channel.id)
        if kept is not None:
            info = json.loads(kept)
            token = info.get("refresh_token") or info.get("token")
            address = REVOKE if self._root is None else f"{self._root}/revoke"
            try:
                requests.post(
                    address,
                    data=urlencode({"token": token}),
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    timeout=10,
                )
            except requests.RequestException:
                pass  # forgotten here all the same; the person can take it back in their Google account
            self._keys.remove(channel.id)
        self._write([one for one in self.channels() if one.id != channel.id])
        return channel

    def _client_config(self) -> dict[str, Any]:
        explained = HOW_TO_GET_A_CLIENT.format(file=self.client_file)
        try:
            config = json.loads(self.client_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InvalidSetting("there is no OAuth client yet", hint=explained) from None
        except ValueError as error:
            raise InvalidSetting(f"{self.client_file} is no JSON", hint=explained) from error
        if not isinstance(config, dict) or "installed" not in config:
            raise InvalidSetting(f"{self.client_file} is not of type 'Desktop app'", hint=explained)
        return cast("dict[str, Any]", config)

    def _write(self, channels: list[Channel]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.folder / "channels.part"
        part.write_bytes(_channels.dump_json(channels, indent=1))
        part.replace(self.folder / "channels.json")


def signins_of(settings: Settings) -> SignIns:
    """Who is signed in, as a library's settings say. Blocking: looks for a key store.

    What belongs to a stand-in stays in the library, away from the person's own keys.
    """
    folder, root = settings.youtube_folder, settings.youtube_root
    keys = key_store(folder / "keys") if root is None else FileKeys(folder / "keys")
    return SignIns(folder, keys, root)


def _expiry(text: str | None) -> datetime | None:
    """In the library's form: UTC without a zone."""
    if not text:
        return None
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).replace(tzinfo=None)


class _Pointer(webbrowser.BaseBrowser):
    """The browser that the library opens: shows the address, and opens it in the real one if wanted."""

    def __init__(self, show: Callable[[str], None], *, really: bool) -> None:
        super().__init__(POINTER)
        self._show = show
        self._really = really

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self._show(f"Open this page and agree: {url}")
        return webbrowser.open(url, new, autoraise) if self._really else True
