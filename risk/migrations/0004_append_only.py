"""The audit trail can only grow: the database refuses to change, delete or truncate its rows."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION risk_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER risk_audit_refuse_change BEFORE UPDATE OR DELETE ON risk_auditrow
    FOR EACH ROW EXECUTE FUNCTION risk_refuse_change();
CREATE TRIGGER risk_audit_refuse_truncate BEFORE TRUNCATE ON risk_auditrow
    FOR EACH STATEMENT EXECUTE FUNCTION risk_refuse_change();
"""

BACKWARD = """
DROP TRIGGER risk_audit_refuse_truncate ON risk_auditrow;
DROP TRIGGER risk_audit_refuse_change ON risk_auditrow;
DROP FUNCTION risk_refuse_change();
"""


class Migration(migrations.Migration):

    dependencies = [("risk", "0003_guards")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
