-- Comparisons of AWS with what stands here: one at a time, with a lease that its process renews.
CREATE TABLE sweeps (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    begun_at    timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    finished_at timestamptz,
    report      jsonb NOT NULL DEFAULT '{}' -- {clusters, regions, findings: [{kind, …}], lines}
);
-- The first one is due when there may be something to find.
INSERT INTO sweeps (lease_until, finished_at) VALUES (now(), now());
