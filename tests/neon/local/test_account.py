"""The account: one person on one machine, with no organisation and nothing shared."""

import pytest

BILLING = {
    "state",
    "payment_source",
    "subscription_type",
    "payment_method",
    "quota_reset_at_last",
    "name",
    "email",
    *(f"address_{part}" for part in ("city", "country", "line1", "line2", "postal_code", "state")),
}


def test_the_person_has_a_billing_account_with_all_that_neon_api_needs(http):
    person = http.get("users/me").json()
    assert person["plan"] == person["billing_account"]["subscription_type"] == "free_v2"
    assert person["billing_account"].keys() == BILLING
    assert person["auth_accounts"] == []


def test_the_person_owns_every_project(http, project):
    assert project.did("GET", "")["project"]["owner_id"] == http.get("users/me").json()["id"]


def test_there_is_no_organisation_and_none_is_found(http, project):
    assert http.get("users/me/organizations").json() == {"organizations": []}
    wanted = {"org_id": "org-any-thing-12345678"}
    for answer in (
        http.get("projects", params={**wanted, "search": project.id}),
        http.post("projects", json={"project": {**wanted, "name": "organised"}}),
    ):
        assert (answer.status_code, answer.json()["message"]) == (404, "organization not found")
    assert http.get("projects", params={"search": "organised"}).json()["projects"] == []


def test_there_is_one_region_and_projects_are_in_it(http, project):
    (region,) = http.get("regions").json()["regions"]
    assert region["default"] is True
    assert project.did("GET", "")["project"]["region_id"] == region["region_id"]


def test_nothing_is_shared(http):
    assert http.get("projects/shared", params={"limit": 100}).json() == {
        "projects": [],
        "applications": {},
        "integrations": {},
    }


@pytest.mark.parametrize("path", ["users/me", "users/me/organizations", "regions", "projects/shared"])
def test_a_key_is_needed_all_the_same(http, path):
    assert http.get(path, headers={"Authorization": "Bearer no"}).status_code == 401


@pytest.mark.parametrize(
    "project",
    [
        {"settings": {"allowed_ips": {"ips": ["127.0.0.1"]}}},
        {"history_retention_seconds": 3600},
        {"store_passwords": False},
        {"pg_version": 14},
        {"branch": {"annotations": {"who": "ada"}}},
        {"default_endpoint_settings": {"pg_settings": {"work_mem": "1MB"}}},
        {"default_endpoint_settings": {"pgbouncer_settings": {"default_pool_size": "5"}}},
        {"default_endpoint_settings": {"suspend_timeout_seconds": 300}},
    ],
)
def test_a_project_that_needs_a_cloud_is_not_made(http, project):
    answer = http.post("projects", json={"project": {"name": "in the clouds", **project}})
    assert answer.status_code == 501
    assert "local control plane" in answer.json()["message"]
    assert http.get("projects", params={"search": "in the clouds"}).json()["projects"] == []


@pytest.mark.parametrize("path", ["api_keys", "organizations/org-any-thing-12345678", "projects/x/permissions"])
def test_what_needs_a_cloud_says_so(http, path):
    answer = http.get(path)
    assert answer.status_code == 501
    assert "local control plane" in answer.json()["message"]
