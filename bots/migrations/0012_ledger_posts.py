"""The database keeps the ledger: it posts what comes in, and lets nobody change what was posted.

A fill, by contract section 5: the grid gives quote for base or the other way round, the market
the opposite, and the fee leaves for the account of fees. A fee in a third coin is paid from the
free coins, and the grid pays these back in quote at what the fee was worth.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION bots_transfer(
    booking bigint, coin text, amount numeric,
    giver text, giver_bot bigint, receiver text, receiver_bot bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF amount <> 0 THEN
        INSERT INTO bots_bookline (booking_id, account, bot_id, coin, amount) VALUES
            (booking, giver, giver_bot, coin, -amount),
            (booking, receiver, receiver_bot, coin, amount);
    END IF;
END $$;

CREATE FUNCTION bots_post_fill(f bots_fill) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    pair market_instrument;
    booking bigint;
    way int := CASE f.side WHEN 'Buy' THEN 1 ELSE -1 END;
    worth numeric := coalesce(f.fee_worth, 0);
BEGIN
    SELECT * INTO pair FROM market_instrument WHERE symbol = f.symbol;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'fill % cannot be booked: the coins of % are not known', f.exec_id, f.symbol;
    END IF;
    INSERT INTO bots_booking (kind, at, fill_id) VALUES ('fill', f.time, f.id)
    RETURNING id INTO booking;
    PERFORM bots_transfer(booking, pair.base, way * f.quantity, 'market', f.bot_id, 'bot', f.bot_id);
    PERFORM bots_transfer(booking, pair.quote, way * f.price * f.quantity,
                          'bot', f.bot_id, 'market', f.bot_id);
    IF f.fee_coin IN (pair.base, pair.quote) THEN
        PERFORM bots_transfer(booking, f.fee_coin, f.fee, 'bot', f.bot_id, 'fees', f.bot_id);
    ELSE
        PERFORM bots_transfer(booking, f.fee_coin, f.fee, 'free', NULL, 'fees', f.bot_id);
        PERFORM bots_transfer(booking, pair.quote, worth, 'bot', f.bot_id, 'free', NULL);
    END IF;
END $$;

CREATE FUNCTION bots_post_move(m bots_capitalmove) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    booking bigint;
BEGIN
    INSERT INTO bots_booking (kind, at, move_id)
    SELECT CASE WHEN m.opening THEN 'opening' ELSE 'outside' END,
           coalesce((SELECT max(time) FROM market_price), m.at), m.id
    RETURNING id INTO booking;
    PERFORM bots_transfer(booking, m.coin, m.amount, 'outside', NULL, 'free', NULL);
END $$;

CREATE FUNCTION bots_post_capital(c bots_gridconfig) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    quote_coin text;
    booking bigint;
    given numeric;
BEGIN
    SELECT quote INTO quote_coin FROM market_instrument
    JOIN bots_bot ON bots_bot.symbol = market_instrument.symbol WHERE bots_bot.id = c.bot_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the capital of bot % cannot be booked: its coins are not known', c.bot_id;
    END IF;
    SELECT coalesce(sum(line.amount), 0) INTO given
    FROM bots_bookline line JOIN bots_booking b ON b.id = line.booking_id
    WHERE line.bot_id = c.bot_id AND line.account = 'bot' AND b.config_id IS NOT NULL;
    IF given = c.capital THEN
        RETURN;
    END IF;
    INSERT INTO bots_booking (kind, at, config_id) VALUES ('capital', c.began_at, c.id)
    RETURNING id INTO booking;
    PERFORM bots_transfer(booking, quote_coin, c.capital - given, 'free', NULL, 'bot', c.bot_id);
END $$;

CREATE FUNCTION bots_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'bots_fill' THEN PERFORM bots_post_fill(NEW);
        WHEN 'bots_capitalmove' THEN PERFORM bots_post_move(NEW);
        ELSE PERFORM bots_post_capital(NEW);
    END CASE;
    RETURN NULL;
END $$;

CREATE FUNCTION bots_refuse_imbalance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT coin, sum(amount) AS rest INTO wrong FROM bots_bookline
    WHERE booking_id = NEW.booking_id GROUP BY coin HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'booking % is off balance by % %', NEW.booking_id, wrong.rest, wrong.coin
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION bots_refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER bots_fill_posts AFTER INSERT ON bots_fill
    FOR EACH ROW EXECUTE FUNCTION bots_post();
CREATE TRIGGER bots_move_posts AFTER INSERT ON bots_capitalmove
    FOR EACH ROW EXECUTE FUNCTION bots_post();
CREATE TRIGGER bots_grid_posts AFTER UPDATE ON bots_gridconfig
    FOR EACH ROW WHEN (OLD.began_at IS NULL AND NEW.began_at IS NOT NULL)
    EXECUTE FUNCTION bots_post();

CREATE CONSTRAINT TRIGGER bots_lines_balance AFTER INSERT ON bots_bookline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bots_refuse_imbalance();

CREATE TRIGGER bots_booking_refuse_change BEFORE UPDATE OR DELETE ON bots_booking
    FOR EACH ROW EXECUTE FUNCTION bots_refuse_rewriting();
CREATE TRIGGER bots_booking_refuse_truncate BEFORE TRUNCATE ON bots_booking
    FOR EACH STATEMENT EXECUTE FUNCTION bots_refuse_rewriting();
CREATE TRIGGER bots_bookline_refuse_change BEFORE UPDATE OR DELETE ON bots_bookline
    FOR EACH ROW EXECUTE FUNCTION bots_refuse_rewriting();
CREATE TRIGGER bots_bookline_refuse_truncate BEFORE TRUNCATE ON bots_bookline
    FOR EACH STATEMENT EXECUTE FUNCTION bots_refuse_rewriting();

SELECT bots_post_move(m) FROM bots_capitalmove m ORDER BY id;
SELECT bots_post_capital(c) FROM bots_gridconfig c
WHERE began_at IS NOT NULL ORDER BY bot_id, version;
SELECT bots_post_fill(f) FROM bots_fill f ORDER BY time, id;
"""

BACKWARD = """
DROP TRIGGER bots_grid_posts ON bots_gridconfig;
DROP TRIGGER bots_move_posts ON bots_capitalmove;
DROP TRIGGER bots_fill_posts ON bots_fill;
DROP FUNCTION bots_post;
DROP FUNCTION bots_post_capital;
DROP FUNCTION bots_post_move;
DROP FUNCTION bots_post_fill;
DROP FUNCTION bots_transfer;
DROP FUNCTION bots_refuse_imbalance CASCADE;
DROP FUNCTION bots_refuse_rewriting CASCADE;
DELETE FROM bots_bookline;
DELETE FROM bots_booking;
"""

# Until now nothing said when a version began on the exchange's clock: the first did so at the
# deployment, a later one when it took over, by the machine's clock.
BEGAN = """
UPDATE bots_gridconfig c SET began_at = CASE
    WHEN c.version = 1 OR NOT EXISTS (SELECT 1 FROM bots_opening o WHERE o.config_id = c.id)
    THEN (SELECT deployed_at FROM bots_bot b WHERE b.id = c.bot_id)
    ELSE (SELECT min(at) FROM bots_opening o WHERE o.config_id = c.id) END
WHERE EXISTS (SELECT 1 FROM bots_cell cell WHERE cell.config_id = c.id);
"""


class Migration(migrations.Migration):

    dependencies = [("bots", "0011_ledger"), ("market", "0002_series")]
    operations = [
        migrations.RunSQL(BEGAN, migrations.RunSQL.noop),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
