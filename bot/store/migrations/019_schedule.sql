-- When an environment sleeps: its own schedule (NULL: its template's; {"off": true}: none), and when
-- it turns next: to sleep while it is ready, to wake while it is asleep.
ALTER TABLE environments
    ADD COLUMN schedule jsonb,
    ADD COLUMN turn_at  timestamptz;

-- The next moment at which clocks in that zone show so many minutes after midnight on one of the days
-- (bit 0: Monday). A time that summer time leaves out comes an hour later by the clock, one that it
-- repeats is the later one, so each day has one. NULL: no day, or a zone that is not known.
CREATE FUNCTION next_turn(minutes integer, days integer, zone text, after timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT min(turn) FROM pg_timezone_names z
    CROSS JOIN LATERAL generate_series(date_trunc('day', after AT TIME ZONE z.name),
        date_trunc('day', after AT TIME ZONE z.name) + interval '8 days', interval '1 day') day
    CROSS JOIN LATERAL (SELECT (day + make_interval(mins => minutes)) AT TIME ZONE z.name AS turn) t
    WHERE z.name = zone AND (days >> (extract(isodow FROM day)::integer - 1)) & 1 = 1
    AND turn > after
$$;
