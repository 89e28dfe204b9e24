"""A step that a ladder trailed up is a fact: with the fills it rebuilds the cells."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION bots_refuse_shift_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'steps that a ladder trailed up are append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER bots_shift_refuse_change BEFORE UPDATE OR DELETE ON bots_shift
    FOR EACH ROW EXECUTE FUNCTION bots_refuse_shift_change();
CREATE TRIGGER bots_shift_refuse_truncate BEFORE TRUNCATE ON bots_shift
    FOR EACH STATEMENT EXECUTE FUNCTION bots_refuse_shift_change();
"""

BACKWARD = """
DROP FUNCTION bots_refuse_shift_change CASCADE;
"""


class Migration(migrations.Migration):

    dependencies = [("bots", "0013_latest_facts")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
