-- Laid over envbot's tables before anything starts: who wrote what of a job, as PostgreSQL saw it.
-- Nothing here refuses; the checker reads it at the end. Written in the writer's own transaction, so
-- that what was rolled back leaves no trace.
CREATE SCHEMA chaos;

-- One row a write of a job process. fence: the job's, as it stands after the write.
CREATE TABLE chaos.writes (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    backend     integer NOT NULL DEFAULT pg_backend_pid(),
    what        text NOT NULL,
    environment bigint NOT NULL,
    job         bigint,
    fence       bigint,
    owner       text
);

CREATE FUNCTION chaos.saw() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE row jsonb := to_jsonb(NEW);
BEGIN
    IF NOT starts_with(current_setting('application_name'), 'envbot job') THEN
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'jobs' THEN
        INSERT INTO chaos.writes (what, environment, job, fence, owner)
        SELECT CASE WHEN TG_OP = 'UPDATE' AND (to_jsonb(OLD)->>'fence')::bigint < (row->>'fence')::bigint
                    THEN 'claim' ELSE 'job' END,
               (row->>'environment')::bigint, (row->>'id')::bigint, (row->>'fence')::bigint,
               row->>'lease_owner';
    ELSIF TG_TABLE_NAME = 'job_log' THEN
        INSERT INTO chaos.writes (what, environment, job)
        SELECT 'log', environment, id FROM public.jobs WHERE id = (row->>'job')::bigint;
    ELSIF TG_TABLE_NAME = 'environments' THEN
        INSERT INTO chaos.writes (what, environment) VALUES ('environment', (row->>'id')::bigint);
    ELSIF row->>'environment' IS NOT NULL THEN
        INSERT INTO chaos.writes (what, environment)
        VALUES (TG_TABLE_NAME, (row->>'environment')::bigint);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_saw AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION chaos.saw();
CREATE TRIGGER chaos_saw AFTER UPDATE ON environments FOR EACH ROW EXECUTE FUNCTION chaos.saw();
CREATE TRIGGER chaos_saw AFTER INSERT ON job_log FOR EACH ROW EXECUTE FUNCTION chaos.saw();
CREATE TRIGGER chaos_saw AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION chaos.saw();
CREATE TRIGGER chaos_saw AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION chaos.saw();

-- When a team held more than its quota, as of the end of a transaction that changed what it holds.
CREATE TABLE chaos.over (
    at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    team text NOT NULL,
    uses jsonb NOT NULL
);
CREATE FUNCTION chaos.weigh() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.over (team, uses)
    SELECT t.name, jsonb_build_object('environments', count(*), 'nodes', sum(e.nodes),
                                      'vcpus', sum(e.vcpus), 'gpus', sum(e.gpus),
                                      'monthly_usd', sum(e.monthly_usd))
    FROM public.teams t JOIN public.environments e ON e.team = t.name AND e.ended_at IS NULL
    WHERE t.name = NEW.team
    GROUP BY t.name, t.environments, t.nodes, t.vcpus, t.gpus, t.monthly_usd
    HAVING count(*) > t.environments OR sum(e.nodes) > t.nodes OR sum(e.vcpus) > t.vcpus
        OR sum(e.gpus) > t.gpus OR sum(e.monthly_usd) > t.monthly_usd;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER chaos_weigh AFTER INSERT OR UPDATE OF ended_at, nodes, vcpus, gpus ON environments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chaos.weigh();

-- Rows that were taken up again although nobody knew whether they had been sent: a sender was killed,
-- or an answer was lost.
CREATE TABLE chaos.uncertain (
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    outbox bigint NOT NULL
);
CREATE FUNCTION chaos.doubted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.uncertain (outbox) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_doubted AFTER UPDATE OF claimed_by ON outbox FOR EACH ROW
    WHEN (OLD.claimed_by IS NOT NULL AND (NEW.claimed_by IS NULL AND NEW.sent_at IS NULL
                                          OR NEW.attempts > OLD.attempts))
    EXECUTE FUNCTION chaos.doubted();
