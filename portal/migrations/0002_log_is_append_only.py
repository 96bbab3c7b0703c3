from django.core.management import call_command
from django.db import migrations

REFUSE = """
CREATE FUNCTION refuse_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of the access log are only inserted';
END $$;
CREATE TRIGGER log_rows_are_only_inserted BEFORE UPDATE OR DELETE ON portal_logrow
    FOR EACH ROW EXECUTE FUNCTION refuse_log_change();
"""
ALLOW = """
DROP TRIGGER log_rows_are_only_inserted ON portal_logrow;
DROP FUNCTION refuse_log_change();
"""


def make_cache_table(apps, schema_editor):
    # Sign-in limits count here, so that they hold across processes.
    call_command("createcachetable", verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_first")]

    operations = [
        migrations.RunSQL(REFUSE, ALLOW),
        migrations.RunPython(make_cache_table, migrations.RunPython.noop),
    ]
