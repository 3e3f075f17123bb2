from __future__ import annotations

import pytest

from pk_upload.sandbox import FAULTS_HELP, FaultError
from pk_upload.sandbox.faults import ENDPOINTS, PROCESSING, Fault, FaultPlan, parse_fault
from pk_upload.sandbox.patchwork import router as patchwork_router
from pk_upload.sandbox.router import ROUTES


def test_every_endpoint_has_a_name_that_faults_know() -> None:
    known = {route.endpoint for route in ROUTES} | {one.name for one in patchwork_router.ENDPOINTS}
    assert known == ENDPOINTS


def test_the_help_names_every_kind_place_and_option() -> None:
    for word in [*ENDPOINTS, "status", "drop", "stall", "lost-answer", "slow=", "wrong-md5", "strict-order"]:
        assert word in FAULTS_HELP
    for word in ["slow-job", "fail-job", "error-message", "p=", "count=", "after=", "seed=", "retry-after="]:
        assert word in FAULTS_HELP


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("status=503", Fault("", "status", 503, "chunk")),
        ("drop", Fault("", "drop", 0.5, "chunk")),
        ("drop=0@part:p=0.1", Fault("", "drop", 0, "part", probability=0.1)),
        ("stall@publish", Fault("", "stall", 0, "publish")),
        ("lost-answer@POST/versions:count=1", Fault("", "lost-answer", 0, "versions", verb="POST", count=1)),
        ("slow=0.25@*", Fault("", "slow", 0.25, "*")),
        ("strict-order", Fault("", "strict-order", 0, "chunk")),
        ("wrong-md5@chunk:after=2:seed=7", Fault("", "wrong-md5", 0, "chunk", after=2, seed=7)),
        ("status=429@uploads:retry-after=5", Fault("", "status", 429, "uploads", retry_after=5)),
        ("slow-job=3", Fault("", "slow-job", 3, PROCESSING)),
        ("fail-job:count=1", Fault("", "fail-job", 0, PROCESSING, count=1)),
    ],
)
def test_a_fault_is_read(spec: str, fault: Fault) -> None:
    found = parse_fault(spec)
    assert found.spec == spec
    for name in Fault.__slots__:
        if name != "spec":
            assert getattr(found, name) == getattr(fault, name)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "no fault ''"),
        ("explode", "no fault 'explode'"),
        ("status", "needs a value"),
        ("status=x", "must be a number"),
        ("status=nan", "must be a number"),
        ("status=200", "from 300 to 599"),
        ("status=503.5", "no status code"),
        ("drop=2", "from 0 to 1"),
        ("lost-answer=1", "takes no value"),
        ("drop@nowhere", "no place 'nowhere'"),
        ("drop@EAT/chunk", "no verb 'EAT'"),
        ("strict-order@publish", "strikes chunk alone"),
        ("fail-job@job", "strikes processing alone"),
        ("drop:often=1", "no option 'often=1'"),
        ("drop:count", "no option 'count'"),
        ("drop:p=2", "from 0 to 1"),
        ("drop:count=1.5", "whole number"),
        ("drop:p=0.1:p=0.2", "given twice"),
    ],
)
def test_a_bad_fault_says_what_is_wrong(spec: str, says: str) -> None:
    with pytest.raises(FaultError, match=says):
        parse_fault(spec)


def struck(spec: str, times: int) -> list[bool]:
    plan = FaultPlan.parse([spec])
    return [bool(plan.draw("chunk", "POST")) for _ in range(times)]


def test_count_and_after() -> None:
    assert struck("drop:after=1:count=2", 5) == [False, True, True, False, False]


def test_a_probability_with_a_seed_is_the_same_in_every_run() -> None:
    first = struck("drop:p=0.5:seed=3", 64)
    assert struck("drop:p=0.5:seed=3", 64) == first
    assert True in first
    assert False in first


def test_a_fault_strikes_its_place_and_verb_alone() -> None:
    plan = FaultPlan.parse(["lost-answer@POST/versions", "stall@*", "fail-job"])
    assert [fault.kind for fault in plan.draw("versions", "POST")] == ["lost-answer", "stall"]
    assert [fault.kind for fault in plan.draw("versions", "GET")] == ["stall"]
    assert [fault.kind for fault in plan.draw(PROCESSING)] == ["fail-job"]


@pytest.mark.parametrize("final", ["status=503", "drop", "stall"])
def test_a_fault_that_cannot_strike_any_more_is_not_counted(final: str) -> None:
    first, second = f"{final}:count=2", "status=500:count=2"
    plan = FaultPlan.parse(["slow=1", first, second])
    drawn = [[fault.spec for fault in plan.draw("chunk", "POST")] for _ in range(5)]
    assert drawn == [["slow=1", first]] * 2 + [["slow=1", second]] * 2 + [["slow=1"]]
