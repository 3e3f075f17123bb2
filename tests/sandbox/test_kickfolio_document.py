"""Every section of Kickfolio's document: its request goes in, the response it shows comes out.

Ids, keys, times and addresses are of the same kind, all other values the very same, and no field is missing,
renamed or added.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from kickfolio_harness import TOKEN, Host, KickfolioClient, basic, bundle, ok

from kickfolio_seed_server import EXAMPLE_APP, EXAMPLE_VERSION

pytestmark = pytest.mark.anyio

APP = {**EXAMPLE_APP, "versions": ["ae45868e-3f1a-11e2-92da-1231394268a3"]}
NEW_APP = {**APP, "bundle": None, "icon": None, "versions": []}
"""The document shows a new app as it was shown before; but what its bundle tells cannot be known yet."""
READY = EXAMPLE_VERSION
PENDING = {**READY, "state": "pending", "version_string": None, "default_image": None}

KINDS = {
    "id": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "address": r"https?://\S+",
    "public key": r"[A-Z0-9]{7}",
}


@dataclass
class Section:
    """A request with the parts of its path in braces, and the response."""

    verb: str
    path: str
    status: int
    response: Any
    body: Any = None


SECTIONS = {
    "List all Apps": Section("GET", "/apps", 200, {"apps": [APP]}),
    "List all Apps, ids": Section("GET", "/apps?ids[]={app}&ids[]={other}", 200, {"apps": [APP]}),
    "Fetch a single App": Section("GET", "/apps/{app}", 200, {"app": APP}),
    "Fetch a single App, public_key": Section("GET", "/apps/{key}", 200, {"app": APP}),
    "Create a new App": Section("POST", "/apps", 201, {"app": NEW_APP}, {"app": {"name": "Kickfolio"}}),
    "Update an App": Section(
        "PUT", "/apps/{app}", 200, {"app": {**APP, "name": "New"}}, {"app": {"name": "New"}}
    ),
    "Update an App, public_key": Section(
        "PUT", "/apps/{key}", 200, {"app": {**APP, "name": "New"}}, {"app": {"name": "New"}}
    ),
    "Delete an App": Section("DELETE", "/apps/{app}", 204, None),
    "Delete an App, public_key": Section("DELETE", "/apps/{key}", 204, None),
    "List all Versions": Section("GET", "/versions", 200, {"versions": [READY]}),
    "List all Versions, ids": Section("GET", "/versions?ids[]={version}", 200, {"versions": [READY]}),
    "List all Versions of an App": Section("GET", "/apps/{app}/versions", 200, {"versions": [READY]}),
    "List all Versions of an App, public_key": Section(
        "GET", "/apps/{key}/versions", 200, {"versions": [READY]}
    ),
    "Fetch a single Version": Section("GET", "/versions/{version}", 200, {"version": READY}),
    "Fetch a single Version of an App": Section(
        "GET", "/apps/{key}/versions/{version}", 200, {"version": READY}
    ),
    "Create a Version": Section(
        *("POST", "/versions", 201, {"version": PENDING}),
        {"version": {"app_id": "{app}", "bundle_url": "{url}"}},
    ),
    "Create a Version, public_key": Section(
        *("POST", "/versions", 201, {"version": {**PENDING, "version_string": "1.2.4"}}),
        {"version": {"app_id": "{key}", "bundle_url": "{url}", "version_string": "1.2.4"}},
    ),
    "Create a Version of an App": Section(
        *("POST", "/apps/{app}/versions", 201, {"version": PENDING}),
        {"version": {"bundle_url": "{url}"}},
    ),
    "Update a Version": Section(
        *("PUT", "/versions/{version}", 200, {"version": READY}),
        {"version": {"app_id": "{app}", "bundle_url": "{url}", "version_string": "1.0"}},
    ),
    "Update a Version of an App": Section(
        *("PUT", "/apps/{key}/versions/{version}", 200, {"version": {**READY, "version_string": "1.2.4"}}),
        {"version": {"bundle_url": "{url}", "version_string": "1.2.4"}},
    ),
    "Delete a Version": Section("DELETE", "/versions/{version}", 204, None),
    "Delete a Version of an App": Section("DELETE", "/apps/{app}/versions/{version}", 204, None),
    "Errors": Section(
        *("POST", "/apps", 422),
        {
            "message": "The App is invalid.",
            "code": "record_invalid",
            "errors": [{"field": "name", "resource": "App", "message": "can't be blank"}],
        },
        {"app": {}},
    ),
}


def kind_of(value: Any) -> Any:
    """The value, or what kind of thing it is where that is all that can be known of it."""
    if not isinstance(value, str):
        return value
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, value)), value)


def outlined(resource: Any) -> Any:
    """The resource with the kinds of its values."""
    if isinstance(resource, dict):
        return {name: outlined(value) for name, value in resource.items()}
    if isinstance(resource, list):
        return [outlined(value) for value in resource]
    return kind_of(resource)


def filled(form: Any, values: dict[str, str]) -> Any:
    if isinstance(form, dict):
        return {name: filled(value, values) for name, value in form.items()}
    return form.format(**values)


@pytest.mark.parametrize("name", SECTIONS)
async def test_a_section_is_kept_to(kickfolio: KickfolioClient, host: Host, name: str) -> None:
    section = SECTIONS[name]
    url = host.serves("/bundle.zip", ok(bundle()))
    app = await kickfolio.app()
    version = await kickfolio.settled(await kickfolio.version(app, url))
    values = {"app": app["id"], "other": APP["id"], "key": app["public_key"]}
    values |= {"version": version["id"], "url": url}
    status, answer = await kickfolio.call(
        section.verb, section.path.format(**values), section.body and filled(section.body, values)
    )
    assert (status, outlined(answer)) == (section.status, outlined(section.response))


@pytest.mark.parametrize("how", ["plain", "with a password", "as a parameter"])
async def test_both_ways_to_authenticate(kickfolio: KickfolioClient, how: str) -> None:
    shown = {"plain": TOKEN, "with a password": f"{TOKEN}:X"}.get(how)
    headers = {} if shown is None else {"Authorization": basic(shown)}
    query = "" if shown else f"?auth_token={TOKEN}"
    assert await kickfolio.call("GET", f"/apps{query}", headers=headers) == (200, {"apps": []})


async def test_what_curl_sends_is_taken(kickfolio: KickfolioClient) -> None:
    """The document's own example calls its JSON a form, because curl does."""
    app = await kickfolio.app()
    form = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": basic(TOKEN)}
    body = b'{"app" : {"name" : "New App Name"}}'
    status, answer = await kickfolio.call("PUT", f"/apps/{app['id']}", body, headers=form)
    assert (status, answer["app"]["name"]) == (200, "New App Name")


async def test_a_deletion_has_an_empty_body(kickfolio: KickfolioClient) -> None:
    app = await kickfolio.app()
    url = f"{kickfolio.sandbox.kickfolio_url}/api/apps/{app['id']}"
    async with kickfolio.session.delete(url, headers={"Authorization": basic(TOKEN)}) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
        assert "Content-Length" not in answer.headers
