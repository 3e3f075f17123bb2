"""What is taken out of a text before it is shown, and what is left in it."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pk_upload.proxies import Proxy
from pk_upload.redaction import Redactor, passwords

SECRET = "Key+0123456789/abcdef="
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dGhlIHNpZ25hdHVyZQ"


def text(of: str) -> str:
    return Redactor([]).text(of)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET.swapcase(),
        quote(SECRET, safe=""),
        quote(quote(SECRET, safe=""), safe="").lower(),
        "".join(f"%{byte:02x}" for byte in SECRET.encode()),
        SECRET.replace("/", "\\/"),
        SECRET.replace("+", "\\u002B"),
        json.dumps(SECRET.replace("/", "\\/"))[1:-1],
    ],
)
def test_a_secret_is_found_in_every_form(form: str) -> None:
    assert Redactor([SECRET]).text(f"a {form} b") == "a [redacted] b"


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_secret_is_found_in_base64_wherever_it_begins(before: str, encode: object) -> None:
    assert callable(encode)
    secret = "k?>y~~~0123456789"
    form = encode(f"{before}{secret}: more".encode()).decode()
    shown = Redactor([secret]).text(form)
    assert "[redacted]" in shown
    assert len(shown.replace("[redacted]", "")) <= len(form) - len(secret)


def test_a_short_secret_takes_nothing_out_but_itself() -> None:
    assert Redactor(["1"]).text("MQ== is 1") == "MQ== is [redacted]"


SIGNED = "https://s3.test/b/k?X-Amz-Date=2024&X-Amz-Credential={}&X-Amz-Security-Token={}&X-Amz-Signature={}"


@pytest.mark.parametrize(
    "told",
    [
        SIGNED,
        "https://s3.test/k?AWSAccessKeyId={}&Expires=17&Signature={}",
        "https://cdn.test/k?Policy={}&Signature={}&Key-Pair-Id={}",
        "https://storage.test/o?GoogleAccessId={}&X-Goog-Credential={}&X-Goog-Signature={}",
        "https://blob.test/c?sv=2022&se=2024-01-01&sp=rw&sig={}",
        "GET /1/apps?api_key={}&x=1&KEY={} and API_KEY={}",
        "upload_token={}&access_token={}&auth_token={} or token = {}",
        "sent on to https%3A%2F%2Fh%2F%3Ftoken%3D{}%26page%3D2",
        "<a href='/login?token={}'>",
        '{{"api_key": "{}", "token":"{}", "message": "no"}}',
        "{{'X-Api-Key': '{}', 'Host': 'h'}} b'X-Api-Key: {}'",
        "X-Api-Key: {}\nHost: h",
        "Authorization: {}\nHost: h",
        "'Proxy-Authorization': '{}', 'Host': 'h'",
        "curl -H 'Authorization: {}' https://h.test/",
        "expired: Bearer {}",
        "the proxy http://{}@proxy.test:3128/path?mail=a@b.test",
        "git+ssh://{}@host/x and //host/@scope/x",
    ],
)
def test_what_stands_before_a_secret_gives_it_away(told: str) -> None:
    shown = told.format(*["[redacted]"] * 4)
    for secret in (JWT, "a~b.c%2Fd%3D", "[redacted]"):
        assert text(told.format(*[secret] * 4)) == shown


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("Authorization: Basic dXNlcjpwYXNz x", "Authorization: [redacted]"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=b", "Authorization: [redacted]"),
        ("asked with Basic dXNlcjpwYXNz for it", "asked with Basic [redacted] for it"),
        ("http://user:p?ss#w@proxy:1/", "http://[redacted]@proxy:1/"),
        (f"id%3D{JWT} id={JWT}.x.y", "id%3D[redacted] id=[redacted]"),
        ("Bearer Bearer abc", "Bearer Bearer [redacted]"),
    ],
)
def test_other_forms_of_credentials(told: str, shown: str) -> None:
    assert text(told) == shown


@pytest.mark.parametrize(
    "told",
    [
        "/1/apps/0123456789abcdef0123456789abcdef/versions?secret=0123&app_secret=4567",
        "secret: 0123456789abcdef",
        "Check the API key: --api-key or PATCHKIT_API_KEY; it is shown on your account page.",
        "Invalid value for '--api-key': it is empty",
        "Invalid token: the access token has expired, tokens=5 are left",
        'WWW-Authenticate: Bearer realm="apps", error="invalid_token"',
        "A Bearer token is missing. Basic authentication and Basic realm=apps are not taken.",
        "a new key=value store, policy=strict, a basic Tutorial, design=2, signatures",
        "http://127.0.0.1:8720/1/apps?page=2&mail=a@b.test and user@host.test:22, ratio 16://9",
        "eyJ is how a token begins; eyJhbGciOiJIUzI1NiJ9 alone is none",
        '{"token": null, "api_key": ""}, token=, "token=", token: ""',
    ],
)
def test_what_is_no_secret_stays(told: str) -> None:
    assert text(told) == told


# Words that mean something to the patterns, so that they meet in every order.
SIGNS = [
    "://",
    "@",
    ":",
    "=",
    "%3D",
    "%26",
    "&",
    "?",
    "/",
    "#",
    "\\",
    '"',
    "'",
    " ",
    "\t",
    "\n",
    ",",
    "[",
    "]",
]
WORDS = ["token", "?key", "x-api-key", "Authorization", "Basic ", "Bearer ", "eyJ", ".a", "Aa0", "[redacted]"]
TEXTS = st.lists(
    st.sampled_from([*SIGNS, *WORDS, SECRET, "redacted"]) | st.text(max_size=3), max_size=12
).map("".join)


@given(TEXTS | st.text(), st.sets(st.sampled_from([SECRET, "redact", "a", "token", "\udcff", "ß"])))
def test_what_was_redacted_once_stays_as_it_is(told: str, known: set[str]) -> None:
    redactor = Redactor(known)
    once = redactor.text(told)
    assert redactor.text(once) == once
    assert not any(secret in once.replace("[redacted]", "") for secret in known)


@given(st.text(st.characters()), st.text(st.characters(), min_size=1))
def test_no_text_and_no_secret_does_harm(told: str, secret: str) -> None:
    redactor = Redactor([secret])
    redactor.text(told)
    [found] = redactor.value([f"{told}{secret}\ud800\udcc3\udca9"])
    assert found.encode().endswith("[redacted]\ufffdé".encode())


HOSTILE = [
    *("://", "://a:", "http://:", "token", "token=", "token \t", "=", "%3D", "%25", "\\", '\\"', "Basic "),
    *("Basic a", "Bearer ", "Bearer: ", "Authorization: ", "authorization\t", "eyJ", "eyJ.", "eyJa.", "-eyJ"),
    *("?key=", "%26", "Key+", "%4b", "Key+0123456789", "S2V5", "a", " ", "\n"),
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_takes_long(unit: str) -> None:
    """A million characters, for which the square of the time would not be seen to end."""
    redactor = Redactor([SECRET])
    for told in (unit * (1_000_000 // len(unit)), f"://token=Basic Bearer eyJ{unit * 10_000}"):
        assert redactor.text(told)


def test_values_are_redacted_however_deep_they_are() -> None:
    value = {"api_key": ["token=abc", ({"of": f"Bearer {SECRET}"}, 1, None, True)]}
    assert Redactor([SECRET]).value(value) == {
        "api_key": ["token=[redacted]", [{"of": "Bearer [redacted]"}, 1, None, True]]
    }


def test_what_is_shown_on_purpose_is_shown() -> None:
    shown = [f"export PATCHKIT_API_KEY={SECRET}"]
    assert Redactor((), guessing=False).value(shown) == shown


def test_what_merely_looks_like_a_secret_is_left_alone_where_nothing_is_guessed() -> None:
    source = 'ssh://git@example.com/x.git: token = strsep(&p, ","); password = NULL; ?sig=main&key=7'
    assert Redactor([SECRET], guessing=False).text(f"{source} {SECRET}") == f"{source} [redacted]"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://me:p%40ss@h:1/", {"p%40ss", "p@ss"}),
        ("me:p@ss/word@h:1", {"p@ss/word"}),
        ("http://me:a://b@h", {"a://b"}),
        ("http://me:@h", set()),
        ("http://me@h", set()),
        ("http://h:3128", set()),
        ("", set()),
    ],
)
def test_passwords_of_proxies(address: str, expected: set[str]) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "All_Proxy"):
        assert passwords({name: address, "PROXY": "http://me:no@h"}) == expected


def test_a_proxy_does_not_show_its_password() -> None:
    assert "secret" not in repr(Proxy(None, {"Proxy-Authorization": "Basic secret"}))
