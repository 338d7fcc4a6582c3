"""Which paths a template takes, and which lie below a prefix."""

import pytest

from gatepost.coverage.template import ANY, Hole, Template, literal

ID = Hole("[0-9]+", sample="1")
NAME = Hole()


def made(*parts: str | Hole) -> Template:
    return Template("".join(part if isinstance(part, str) else "{}" for part in parts), parts)


@pytest.mark.parametrize(
    ("template", "path", "takes"),
    [
        (literal("/health"), "/health", True),
        (literal("/health"), "/health/", False),
        (literal(""), "/", True),
        (made("/", NAME), "/health", True),
        (made("/", NAME), "/a/b", False),
        (made("/files/", ID), "/files/7", True),
        (made("/files/", ID), "/files/new", False),
        (made("/files/", ID, ".png"), "/files/7.png", True),
        (made("/static/", ANY), "/static/a/b.css", True),
        (made("/static/", ANY), "/public/a", False),
    ],
)
def test_a_template_takes_the_paths_that_its_framework_would_route_so(
    template: Template, path: str, takes: bool
) -> None:
    assert template.takes(path) is takes


@pytest.mark.parametrize(
    ("template", "all_below", "some_below"),
    [
        (literal("/public/logo.svg"), True, True),
        (literal("/public/"), False, False),
        (literal("/public"), False, False),
        (literal("/publication"), False, False),
        (made("/public/", NAME), True, True),
        (made("/public/a/", ID), True, True),
        (made("/", NAME, "/logo.svg"), False, True),
        (made("/", ID, "/logo.svg"), False, False),
        (made("/", NAME), False, False),
        (made("/", ANY), False, True),
        (made("/pub", NAME, "/x"), False, True),
        (made("/private/", ANY), False, False),
    ],
)
def test_what_is_below_a_prefix_is_told_from_what_may_be(template: Template, all_below: bool, some_below: bool) -> None:
    assert (template.is_below("/public/"), template.may_be_below("/public/")) == (all_below, some_below)


def test_a_sample_is_a_path_that_the_template_takes_and_there_is_none_for_what_is_not_known() -> None:
    below = literal("/v1") + made("/files/", ID)
    assert (below.text, below.sample) == ("/v1/files/{}", "/v1/files/1")
    assert below.takes(below.sample or "")
    assert below.without(literal("/v1")).sample == "/files/1"
    assert made("/", Hole(sample=None)).sample is None
    assert Template().sample == "/"
