"""Let the news of a run say which step it is at, so that whoever waits can prepare for what comes then."""

from django.db import migrations

TELL = """
CREATE OR REPLACE FUNCTION tell_run_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'run_' || replace(NEW.id::text, '-', ''),
        CASE NEW.status
            WHEN 'running'
            THEN concat_ws(' ', 'running', jsonb_path_query_first(NEW.steps, '$[*] ? (@.state == "running")') ->> 'name')
            ELSE NEW.status
        END
    );
    RETURN NULL;
END
$$
"""
TELL_LESS = """
CREATE OR REPLACE FUNCTION tell_run_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('run_' || replace(NEW.id::text, '-', ''), NEW.status);
    RETURN NULL;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("checkpoints", "0006_page_versions")]
    operations = [migrations.RunSQL(TELL, TELL_LESS)]
