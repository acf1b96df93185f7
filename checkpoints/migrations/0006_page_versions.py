"""Let the meta database say which versions of which rows a checkpoint's page is made from, by a plan that it has made.

To plan the statement takes Postgres three times as long as to execute it; what a function plans is kept.
"""

from django.conf import settings
from django.db import migrations

# Who writes a row signs it (xmin) and moves it (ctid). The runs are those of checkpoints/sql/runs.sql.
CREATE = """
CREATE FUNCTION page_versions(checkpoint uuid, session text, moment timestamptz) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT md5((
            project.xmin,
            project.ctid,
            (
                SELECT (xmin, ctid) FROM django_session
                WHERE session_key = session AND expire_date > moment
            ),
            (SELECT (xmin, ctid) FROM auth_user WHERE id = project.owner_id),
            (SELECT array_agg((xmin, ctid)::text ORDER BY id) FROM checkpoints_checkpoint WHERE project_id = project.id),
            (
                SELECT (xmin, ctid) FROM checkpoints_run
                WHERE owner_id = project.owner_id AND status IN ('queued', 'running')
            ),
            (
                SELECT (xmin, ctid) FROM checkpoints_run
                WHERE project_id = project.id AND result_id IS NOT NULL AND kind <> 'delete'
                ORDER BY created_at DESC LIMIT 1
            )
        )::text)
        FROM checkpoints_project AS project
        WHERE id = (SELECT project_id FROM checkpoints_checkpoint WHERE id = checkpoint)
    );
END
$$
"""
DROP = "DROP FUNCTION page_versions(uuid, text, timestamptz)"


class Migration(migrations.Migration):
    dependencies = [
        ("checkpoints", "0005_run_news"),
        ("sessions", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [migrations.RunSQL(CREATE, DROP)]
