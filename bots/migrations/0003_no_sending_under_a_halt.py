"""While a halt covers a bot, the database itself refuses to mark an order of it as sent.

A row that is refused is left as it was, so the UPDATE counts 0 and its order is not sent. What
leaves the market (client ids of kind X) passes a halt, and a kill that says so. The lock makes a
kill see every order that was being marked meanwhile (risk/halts.py).
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION bots_refuse_sending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7202);
    IF EXISTS (
        SELECT 1 FROM risk_halt h
        WHERE h.lifted_at IS NULL AND h.subject IN ('all', 'bot:' || NEW.bot_id)
        AND NOT (NEW.client_id ~ '-X-[0-9]+$' AND NEW.side = 'Sell'
                 AND (h.sell OR h.kind <> 'KILL'))
    ) THEN
        IF TG_OP = 'INSERT' THEN
            RAISE EXCEPTION 'a halt stands: % cannot be sent', NEW.client_id;
        END IF;
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER bots_order_no_sending BEFORE UPDATE ON bots_order
    FOR EACH ROW WHEN (NEW.status = 'SENT' AND OLD.status <> 'SENT')
    EXECUTE FUNCTION bots_refuse_sending();
CREATE TRIGGER bots_order_no_sent_insert BEFORE INSERT ON bots_order
    FOR EACH ROW WHEN (NEW.status = 'SENT')
    EXECUTE FUNCTION bots_refuse_sending();
"""

BACKWARD = """
DROP TRIGGER bots_order_no_sent_insert ON bots_order;
DROP TRIGGER bots_order_no_sending ON bots_order;
DROP FUNCTION bots_refuse_sending();
"""


class Migration(migrations.Migration):
    dependencies = [("bots", "0002_exits"), ("risk", "0004_append_only")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
