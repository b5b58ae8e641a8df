-- Turns between teams: whose job it is, and when a team's job was started last.
ALTER TABLE jobs ADD COLUMN team text NOT NULL DEFAULT '';
UPDATE jobs SET team = (SELECT team FROM environments e WHERE e.id = jobs.environment)
    WHERE state IN ('queued', 'running');
-- A version that does not know the column writes no team.
CREATE FUNCTION jobs_set_team() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT team INTO NEW.team FROM environments WHERE id = NEW.environment;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_set_team BEFORE INSERT ON jobs
    FOR EACH ROW WHEN (NEW.team = '') EXECUTE FUNCTION jobs_set_team();
CREATE TABLE turns (
    team      text PRIMARY KEY,
    served_at timestamptz NOT NULL
);
-- The queue is many lines side by side, one for each team and region, and one more for what is new in
-- it (store/queue.h): the head of each is found at once, however long it is.
CREATE INDEX jobs_lines
    ON jobs (team, region, (kind <> 'delete' AND started_at IS NULL), not_before, id)
    WHERE state = 'queued';
-- How long a template's latest environments took until they were ready.
CREATE INDEX environments_took ON environments (template, ready_at DESC)
    WHERE ready_at IS NOT NULL AND started_at IS NOT NULL;
