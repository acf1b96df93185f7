"""Let the meta database say when a run moves on, so that whoever waits for it need not ask again and again."""

from django.db import migrations

TELL = """
CREATE FUNCTION tell_run_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('run_' || replace(NEW.id::text, '-', ''), NEW.status);
    RETURN NULL;
END
$$;
CREATE TRIGGER run_news AFTER UPDATE OF status, steps ON checkpoints_run
FOR EACH ROW EXECUTE FUNCTION tell_run_news();
"""
KEEP_QUIET = "DROP TRIGGER run_news ON checkpoints_run; DROP FUNCTION tell_run_news();"


class Migration(migrations.Migration):
    dependencies = [("checkpoints", "0004_scale")]
    operations = [migrations.RunSQL(TELL, KEEP_QUIET)]
