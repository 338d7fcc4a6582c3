"""The rules for actors that are not operators, rule by rule."""

import pytest

from gatepost import AccessDeniedError, Actor, ForceNeededError, KeyNotFoundError
from gatepost.database.standing import Standing
from gatepost.rules.authority import Authority


def actor(*permissions: str, project: str | None = "acme") -> Authority:
    return Authority(Actor(name="key", key_id="own-key-0001", project=project, permissions=frozenset(permissions)))


def key(*permissions: str, project: str | None = "acme", key_id: str = "other-key-01") -> Standing:
    return Standing(key_id, project, frozenset(permissions), active=True)


OPERATOR = Authority(Actor("ann", operator=True))


def test_an_operator_may_do_everything() -> None:
    OPERATOR.check_look()
    OPERATOR.check_manage()
    OPERATOR.check_project("acme")
    OPERATOR.check_project(None)
    OPERATOR.check_grant({"FILE_DELETE"})
    OPERATOR.check_reach(key(project="other"))
    OPERATOR.check_own(key(), force=False)


@pytest.mark.parametrize("held", ["ACCESS_READ", "ACCESS_MANAGE"])
def test_looking_needs_one_of_the_two_permissions(held: str) -> None:
    actor(held).check_look()
    actor(held).check_look("other-key-01")


def test_without_them_only_the_own_key_is_seen() -> None:
    actor("FILE_UPLOAD").check_look("own-key-0001")
    for key_id in (None, "other-key-01"):
        with pytest.raises(AccessDeniedError, match="ACCESS_READ or ACCESS_MANAGE") as denied:
            actor("FILE_UPLOAD").check_look(key_id)
        assert denied.value.missing == {"ACCESS_READ"}


def test_an_actor_that_is_no_key_has_no_own_key_to_look_at() -> None:
    with pytest.raises(AccessDeniedError):
        Authority(Actor(name="ann", permissions=frozenset())).check_look(None)


def test_changing_needs_access_manage() -> None:
    actor("ACCESS_MANAGE").check_manage()
    with pytest.raises(AccessDeniedError) as denied:
        actor("ACCESS_READ", "FILE_UPLOAD").check_manage()
    assert denied.value.missing == {"ACCESS_MANAGE"}


@pytest.mark.parametrize(("own", "of", "reached"), [
    ("acme", "acme", True), ("acme", "Acme", False), ("acme", None, False), (None, "acme", True), (None, None, True),
])  # fmt: skip
def test_an_actor_reaches_keys_of_its_own_project_and_a_company_wide_one_all(
    own: str | None, of: str | None, reached: bool
) -> None:
    assert actor("ACCESS_MANAGE", project=own).reaches(key(project=of)) is reached
    if not reached:
        with pytest.raises(KeyNotFoundError):
            actor("ACCESS_MANAGE", project=own).check_reach(key(project=of))


def test_a_new_key_is_of_the_own_project_and_never_company_wide_unless_the_actor_is() -> None:
    actor(project="acme").check_project("acme")
    actor(project=None).check_project("acme")
    actor(project=None).check_project(None)
    for project in ("other", None):
        with pytest.raises(AccessDeniedError, match="'acme' cannot make one for"):
            actor(project="acme").check_project(project)


def test_nobody_grants_what_they_do_not_hold() -> None:
    actor("ACCESS_MANAGE", "FILE_UPLOAD").check_grant({"FILE_UPLOAD"})
    with pytest.raises(AccessDeniedError, match="DIR_MOVE, FILE_DELETE") as denied:
        actor("ACCESS_MANAGE", "FILE_UPLOAD").check_grant({"FILE_UPLOAD", "FILE_DELETE", "DIR_MOVE"})
    assert denied.value.missing == {"FILE_DELETE", "DIR_MOVE"}


def test_the_own_key_is_weakened_with_force_only() -> None:
    own = key(key_id="own-key-0001")
    actor("ACCESS_MANAGE").check_own(key(), force=False)
    actor("ACCESS_MANAGE").check_own(own, force=True)
    with pytest.raises(ForceNeededError, match="say force"):
        actor("ACCESS_MANAGE").check_own(own, force=False)


def test_an_actor_of_a_project_reaches_no_other_and_does_nothing_unless_told_what_it_holds() -> None:
    ann = Authority(Actor("ann", project="acme"))
    assert ann.reaches(key(project="acme"))
    assert not ann.reaches(key(project="other"))
    for refused in (ann.check_look, ann.check_manage, lambda: ann.check_grant({"FILE_UPLOAD"})):
        with pytest.raises(AccessDeniedError):
            refused()
