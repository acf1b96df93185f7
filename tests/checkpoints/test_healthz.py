"""The probe of the process: /healthz."""


def test_it_answers_without_a_database(client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")
    assert response["Content-Type"] == "text/plain"


def test_other_methods_are_refused(client):
    for method in ["post", "put", "patch", "delete"]:
        assert getattr(client, method)("/healthz").status_code == 405, method
