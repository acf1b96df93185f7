import pytest

from contacts import versions


def test_prompts_are_those_of_the_demo():
    assert [version.prompt for version in versions.VERSIONS] == [
        "Create a contact list app with name and email",
        "Add role and company",
        "Add tags",
    ]


def test_each_version_has_the_fields_of_the_one_before_and_its_own():
    assert [version.fields for version in versions.VERSIONS] == [
        ("name", "email"),
        ("name", "email", "role", "company"),
        ("name", "email", "role", "company", "tags"),
    ]


def test_versions_follow_each_other():
    assert versions.FIRST is versions.get("v1")
    assert versions.get("v1").next is versions.get("v2")
    assert versions.get("v3").next is None


def test_an_unknown_version_is_a_key_error():
    with pytest.raises(KeyError):
        versions.get("v4")
