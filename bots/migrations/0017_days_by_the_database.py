"""Sums of days: what a day adds up to, which days have news, and views that are always right.

A mark is a row of its own, so that two who write facts never wait for each other. A day is either
marked, and then it is added up from its facts, or what is kept of it is what its facts say.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION bots_fills_of(wanted date)
RETURNS TABLE (day date, bot_id bigint, orders bigint, fees numeric) LANGUAGE sql STABLE AS $$
    SELECT wanted, f.bot_id,
        count(*) FILTER (WHERE NOT EXISTS (
            SELECT FROM bots_fill earlier WHERE earlier.order_id = f.order_id AND earlier.id < f.id
        )),
        sum(CASE f.fee_coin WHEN pair.quote THEN f.fee WHEN pair.base THEN f.fee * f.price
            ELSE coalesce(f.fee_worth, 0) END)::numeric(38, 18)
    FROM bots_fill f LEFT JOIN market_instrument pair ON pair.symbol = f.symbol
    WHERE f.time >= wanted::timestamp AT TIME ZONE 'UTC'
        AND f.time < (wanted + 1)::timestamp AT TIME ZONE 'UTC'
    GROUP BY f.bot_id
$$;

CREATE FUNCTION bots_trips_of(wanted date)
RETURNS TABLE (day date, bot_id bigint, config_id bigint, cell smallint, round_trips bigint,
    bought numeric, grid_profit numeric, inventory_pnl numeric) LANGUAGE sql STABLE AS $$
    SELECT wanted, t.bot_id, t.config_id, t.cell, count(*), sum(t.bought), sum(t.grid_profit),
        sum(t.inventory_pnl)
    FROM bots_roundtrip t
    WHERE t.closed >= wanted::timestamp AT TIME ZONE 'UTC'
        AND t.closed < (wanted + 1)::timestamp AT TIME ZONE 'UTC'
    GROUP BY t.bot_id, t.config_id, t.cell
$$;

CREATE FUNCTION bots_books_of(wanted date)
RETURNS TABLE (day date, account varchar, bot_id bigint, coin varchar, traded boolean,
    amount numeric) LANGUAGE sql STABLE AS $$
    SELECT wanted, line.account, line.bot_id, line.coin, booking.fill_id IS NOT NULL,
        sum(line.amount)
    FROM bots_booking booking
    CROSS JOIN LATERAL (
        SELECT * FROM bots_bookline WHERE booking_id = booking.id
        OFFSET 0  -- by their index: not knowing which day, the planner would read all lines there are
    ) line
    WHERE booking.at >= wanted::timestamp AT TIME ZONE 'UTC'
        AND booking.at < (wanted + 1)::timestamp AT TIME ZONE 'UTC'
        AND line.account IN ('free', 'bot')
    GROUP BY line.account, line.bot_id, line.coin, booking.fill_id IS NOT NULL
$$;

CREATE VIEW bots_fills_by_day AS
    SELECT day, bot_id, orders, fees FROM bots_dayoffills
    WHERE day NOT IN (SELECT day FROM bots_staleday)
    UNION ALL
    SELECT f.* FROM (SELECT DISTINCT day FROM bots_staleday) stale, bots_fills_of(stale.day) f;

CREATE VIEW bots_trips_by_day AS
    SELECT day, bot_id, config_id, cell, round_trips, bought, grid_profit, inventory_pnl
    FROM bots_dayoftrips WHERE day NOT IN (SELECT day FROM bots_staleday)
    UNION ALL
    SELECT t.* FROM (SELECT DISTINCT day FROM bots_staleday) stale, bots_trips_of(stale.day) t;

CREATE VIEW bots_books_by_day AS
    SELECT day, account, bot_id, coin, traded, amount FROM bots_dayofbooks
    WHERE day NOT IN (SELECT day FROM bots_staleday)
    UNION ALL
    SELECT b.* FROM (SELECT DISTINCT day FROM bots_staleday) stale, bots_books_of(stale.day) b;

CREATE FUNCTION bots_mark_day(at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO bots_staleday (day) VALUES ((at AT TIME ZONE 'UTC')::date)
$$;

CREATE FUNCTION bots_mark_fill() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM bots_mark_day(OLD.time); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM bots_mark_day(NEW.time); END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION bots_mark_trip() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM bots_mark_day(OLD.closed); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM bots_mark_day(NEW.closed); END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION bots_mark_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bots_mark_day(booking.at) FROM bots_booking booking
    WHERE booking.id IN (SELECT booking_id FROM written);
    RETURN NULL;
END $$;

CREATE TRIGGER bots_fill_marks
    AFTER INSERT OR DELETE OR UPDATE OF bot_id, order_id, symbol, price, fee, fee_coin, fee_worth, time
    ON bots_fill FOR EACH ROW EXECUTE FUNCTION bots_mark_fill();
CREATE TRIGGER bots_trip_marks AFTER INSERT OR DELETE OR UPDATE ON bots_roundtrip
    FOR EACH ROW EXECUTE FUNCTION bots_mark_trip();
CREATE TRIGGER bots_lines_mark AFTER INSERT ON bots_bookline REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION bots_mark_lines();

INSERT INTO bots_staleday (day)
    SELECT (time AT TIME ZONE 'UTC')::date FROM bots_fill
    UNION SELECT (closed AT TIME ZONE 'UTC')::date FROM bots_roundtrip
    UNION SELECT (at AT TIME ZONE 'UTC')::date FROM bots_booking;
"""

BACKWARD = """
DROP VIEW bots_fills_by_day;
DROP VIEW bots_trips_by_day;
DROP VIEW bots_books_by_day;
DROP FUNCTION bots_mark_fill CASCADE;
DROP FUNCTION bots_mark_trip CASCADE;
DROP FUNCTION bots_mark_lines CASCADE;
DROP FUNCTION bots_mark_day;
DROP FUNCTION bots_fills_of;
DROP FUNCTION bots_trips_of;
DROP FUNCTION bots_books_of;
"""


class Migration(migrations.Migration):

    dependencies = [("bots", "0016_days"), ("market", "0002_series")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
