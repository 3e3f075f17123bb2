"""A bundle on Kickfolio, from its address to a version that is ready; and what is made or deleted there once.

Where the answer to a request is lost, the list is read before it is sent again.
"""

from __future__ import annotations

from pk_upload.errors import UsageError
from pk_upload.events import OnEvent, Stage, Warned, emitter
from pk_upload.given import seconds
from pk_upload.kickfolio import App, Kickfolio, Version
from pk_upload.polling import DAY
from pk_upload.settling import same_text, settled

__all__ = ["delete_app", "delete_version", "make_app", "make_version", "publish_bundle"]


async def publish_bundle(
    kickfolio: Kickfolio,
    bundle_url: str,
    *,
    app: str | None = None,
    name: str | None = None,
    version_string: str | None = None,
    timeout: float = DAY,
    on_event: OnEvent | None = None,
) -> Version:
    """The version that the service made of the bundle at `bundle_url`, once it is ready.

    It belongs to `app`, given by its UUID or public key, or else to the app called `name`, which is made
    unless there is one. Made again, a version of the same address that is still pending is waited for, for
    `timeout` seconds at most; one that is ready is taken if it has the same `version_string`, and otherwise
    the bundle is published anew, for its address may hold another one by now.
    Raises `UsageError` unless one of `app` and `name` is given, or if several apps are called `name`;
    `ProcessingFailed` when the service cannot use the bundle; `GaveUpWaiting`; and what `Kickfolio` raises.
    """
    if (app is None) == (name is None):
        raise UsageError("either an app or the name of one is needed", hint="Give one of `app` and `name`.")
    bound = seconds("timeout", timeout)
    emit = emitter(on_event)
    client = kickfolio.listening(emit)
    emit(Stage("version", f"of {name or app}"))
    owner = await (client.app(app) if app is not None else _app_called(client, emit, name or ""))
    version = await _begun(client, owner, bundle_url, version_string)
    if version is None:
        version = await make_version(client, emit, owner.id, bundle_url, version_string)
    else:
        emit(Warned(f"version {version.id} of this address is {version.state} already; no other is made"))
    emit(Stage("processing", f"version {version.id}"))
    version = await client.wait_until_ready(version.id, app=owner.id, timeout=bound)
    emit(Stage("done", f"version {version.id}"))
    return version


async def make_app(kickfolio: Kickfolio, emit: OnEvent, name: str) -> App:
    """A new app. Names need not be unique, so that only one that was not there before is taken for it."""
    before = {app.id for app in await kickfolio.apps()}

    async def find() -> App | None:
        new = [app for app in await kickfolio.apps() if app.id not in before]
        return next((app for app in new if same_text(app.name, name)), None)

    return await settled(
        kickfolio, emit, "the request for a new app", lambda client: client.create_app(name), find
    )


async def make_version(
    kickfolio: Kickfolio, emit: OnEvent, app: str, bundle_url: str, version_string: str | None
) -> Version:
    """A new version of `app`. Addresses may come again: only one that was not there is taken for it."""
    before = {version.id for version in await kickfolio.versions(app=app)}

    async def find() -> Version | None:
        new = [version for version in await kickfolio.versions(app=app) if version.id not in before]
        return next((version for version in new if same_text(version.bundle_url, bundle_url)), None)

    return await settled(
        kickfolio,
        emit,
        "the request for a new version",
        lambda client: client.create_version(app, bundle_url, version_string),
        find,
    )


async def delete_app(kickfolio: Kickfolio, emit: OnEvent, identifier: str) -> App:
    """The app that was deleted; raises `NotFound` if there was none."""
    app = await kickfolio.app(identifier)

    async def ask(client: Kickfolio) -> App:
        await client.delete_app(app.id)
        return app

    async def find() -> App | None:
        return app if app.id not in {each.id for each in await kickfolio.apps()} else None

    return await settled(kickfolio, emit, "the request to delete the app", ask, find)


async def delete_version(kickfolio: Kickfolio, emit: OnEvent, version_id: str) -> Version:
    """The version that was deleted; raises `NotFound` if there was none."""
    version = await kickfolio.version(version_id)

    async def ask(client: Kickfolio) -> Version:
        await client.delete_version(version.id)
        return version

    async def find() -> Version | None:
        return version if version.id not in {each.id for each in await kickfolio.versions()} else None

    return await settled(kickfolio, emit, "the request to delete the version", ask, find)


async def _app_called(kickfolio: Kickfolio, emit: OnEvent, name: str) -> App:
    found = [app for app in await kickfolio.apps() if same_text(app.name, name)]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} apps are called {name!r}",
            hint=f"Name the one by its id: {', '.join(app.id for app in found[:5])}.",
        )
    return found[0] if found else await make_app(kickfolio, emit, name)


async def _begun(
    kickfolio: Kickfolio, app: App, bundle_url: str, version_string: str | None
) -> Version | None:
    """What an earlier run asked for: pending still, or ready and known by what it is called."""
    states = {"pending"} if version_string is None else {"pending", "ready"}
    for version in await kickfolio.versions(app=app.id):
        same = same_text(version.bundle_url, bundle_url) and same_text(version.version_string, version_string)
        if same and version.state in states:
            return version
    return None
