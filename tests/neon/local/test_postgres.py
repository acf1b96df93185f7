def test_smoke(db):
    from django.db import connection

    with connection.cursor() as c:
        c.execute("select version()")
        assert "PostgreSQL 18" in c.fetchone()[0]
