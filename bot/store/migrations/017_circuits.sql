-- A circuit breaker around AWS that all processes share: '' is all of AWS, else a region. While one is
-- open no job of the queue is claimed there, but for a probe when its time has come.
CREATE TABLE circuits (
    scope     text PRIMARY KEY,
    cause     text NOT NULL DEFAULT '',      -- of the failure that opened it (jobs/causes.c)
    line      text NOT NULL DEFAULT '',      -- what AWS said
    opened_at timestamptz,                   -- NULL: closed
    probe_at  timestamptz NOT NULL DEFAULT now(),
    probe_job bigint,                        -- the one that tries
    probes    integer NOT NULL DEFAULT 0,    -- that failed; each doubles the wait for the next
    told      boolean NOT NULL DEFAULT true  -- people know that it opened, or closed
);
-- Which jobs failed that way of late; forgotten when one is well.
CREATE TABLE circuit_failures (
    scope text NOT NULL,
    job   bigint NOT NULL,
    at    timestamptz NOT NULL,
    PRIMARY KEY (scope, job)
);
