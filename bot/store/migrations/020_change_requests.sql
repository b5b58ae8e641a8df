-- More time or size than the template allows without another approval is a request of its own; the
-- environment stays as it is until somebody has decided it.
CREATE TABLE change_requests (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment bigint NOT NULL REFERENCES environments (id),
    kind        text NOT NULL CHECK (kind IN ('extend', 'scale')),
    wanted      bigint NOT NULL CHECK (wanted > 0), -- seconds more, or so many nodes
    before      text NOT NULL,                      -- what its card shows of now and then
    after       text NOT NULL,
    reason      text NOT NULL,
    workspace   text NOT NULL,                      -- who asks
    user_id     text NOT NULL,
    user_name   text NOT NULL,
    mail        text,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN
        ('pending', 'approved', 'denied', 'withdrawn', 'lapsed', 'over')),
    revision    integer NOT NULL DEFAULT 1,
    presented   text NOT NULL DEFAULT '',           -- the digest of what its cards show
    tally       jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    lapses_at   timestamptz NOT NULL,
    decided_at  timestamptz
);
CREATE UNIQUE INDEX change_requests_one_open ON change_requests (environment)
    WHERE state = 'pending';
CREATE INDEX change_requests_lapsing ON change_requests (lapses_at) WHERE state = 'pending';
