-- What envbot knows. Times are PostgreSQL's; ids are never reused.

-- Who pays. The row is the lock under which a team's use is summed; the limits start from the
-- configuration and are changed by `/env quota set`. NULL: no limit.
CREATE TABLE teams (
    name         text PRIMARY KEY,
    environments integer CHECK (environments >= 0),
    nodes        integer CHECK (nodes >= 0),
    vcpus        integer CHECK (vcpus >= 0),
    gpus         integer CHECK (gpus >= 0),
    monthly_usd  numeric(12, 2) CHECK (monthly_usd >= 0)
);

-- One row for each delivery from Slack that changed something, with the answer it got: a second
-- delivery gets the same. The key is the trigger_id, event_id or envelope_id.
CREATE TABLE envelopes (
    key         text PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    reply       jsonb
);
CREATE INDEX envelopes_received ON envelopes USING brin (received_at);

CREATE TABLE environments (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team            text NOT NULL REFERENCES teams (name),
    name            text NOT NULL,
    cluster         text NOT NULL,          -- <team>-<name>, the name in AWS
    region          text NOT NULL,
    -- the owner: a person is a workspace and a user id, never the user id alone
    owner_workspace text NOT NULL,
    owner_id        text NOT NULL,
    owner_name      text NOT NULL,
    owner_mail      text,
    owner_zone      text,
    -- what was asked for: the template as it was then, and the values put into it
    template        text NOT NULL,
    template_copy   json NOT NULL,
    parameters      json NOT NULL,  -- json, not jsonb: people see them in their order
    reason          text NOT NULL DEFAULT '',
    revision        integer NOT NULL DEFAULT 1,
    tally           jsonb,                  -- what the card says of the votes
    -- where it is in its life (lifecycle/states.c)
    state           text NOT NULL CHECK (state IN
        ('pending', 'queued', 'creating', 'ready', 'changing', 'asleep', 'deleting', 'deleted',
         'denied', 'withdrawn', 'lapsed', 'failed')),
    cause           text,                   -- why it failed, was denied …: a sentence
    plan            jsonb,                  -- the phases of the running job, for the plan block
    seen            jsonb,                  -- what was seen of the cluster: version, endpoint, nodes
    stuck           boolean NOT NULL DEFAULT false, -- operators must look (a deletion that failed)
    -- times
    ttl_seconds     bigint NOT NULL CHECK (ttl_seconds > 0),
    created_at      timestamptz NOT NULL DEFAULT now(),
    decided_at      timestamptz,
    started_at      timestamptz,            -- the first job began: from here it costs
    ready_at        timestamptz,
    expires_at      timestamptz,            -- ready_at + ttl, extended since
    ended_at        timestamptz,            -- nothing of it is left, it holds no quota
    warned_seconds  bigint,                 -- the last warning said that so much was left
    due_at          timestamptz,            -- when the clock must look at it next
    -- what it reserves while it lives
    nodes           integer NOT NULL,
    vcpus           integer NOT NULL,
    gpus            integer NOT NULL,
    hourly_usd      numeric(12, 4) NOT NULL,
    monthly_usd     numeric(12, 2) NOT NULL
);
-- The living are few, the past is long: every question about the living has its partial index.
CREATE UNIQUE INDEX environments_living_cluster ON environments (cluster) WHERE ended_at IS NULL;
CREATE INDEX environments_living_team ON environments (team) WHERE ended_at IS NULL;
CREATE INDEX environments_living_due ON environments (due_at)
    WHERE ended_at IS NULL AND due_at IS NOT NULL;
CREATE INDEX environments_by_name ON environments (team, name, id DESC);
CREATE INDEX environments_by_owner ON environments (owner_workspace, owner_id, id DESC);
-- A month's report reads only what ran in that month.
CREATE INDEX environments_ran ON environments USING gist (tstzrange(started_at, ended_at))
    WHERE started_at IS NOT NULL;

-- One approver's word on one revision of one request.
CREATE TABLE decisions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment bigint NOT NULL REFERENCES environments (id),
    revision    integer NOT NULL,
    workspace   text NOT NULL,
    user_id     text NOT NULL,
    user_name   text NOT NULL,
    word        text NOT NULL CHECK (word IN ('approve', 'deny')),
    reason      text NOT NULL DEFAULT '',
    rule        text NOT NULL,              -- the binding and role that allowed it
    groups      text[] NOT NULL DEFAULT '{}', -- the approver's groups at that moment
    decided_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (environment, revision, workspace, user_id)
);

-- One run of eksctl and what is looked at around it. The lease is the claim of a live process;
-- each claim raises the fence, and every write of a job carries it.
CREATE TABLE jobs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment  bigint NOT NULL REFERENCES environments (id),
    kind         text NOT NULL CHECK (kind IN
        ('create', 'delete', 'scale', 'upgrade', 'sleep', 'wake')),
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN
        ('queued', 'running', 'done', 'failed', 'cancelled')),
    region       text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    not_before   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    attempts     integer NOT NULL DEFAULT 0, -- how often it was claimed
    cancel       boolean NOT NULL DEFAULT false, -- stop soundly: the environment is to be deleted
    fence        bigint NOT NULL DEFAULT 0,
    lease_until  timestamptz,
    lease_owner  text,                       -- host:pid:start time of the job process
    phase        text,
    result       jsonb                       -- class of failure, cause line, what was seen
);
CREATE UNIQUE INDEX jobs_one_live ON jobs (environment) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_queued ON jobs (not_before, id) WHERE state = 'queued';
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_by_environment ON jobs (environment, id DESC);

-- eksctl's log, line by line.
CREATE TABLE job_log (
    job     bigint NOT NULL REFERENCES jobs (id),
    number  bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    line    text NOT NULL,
    PRIMARY KEY (job, number)
);

-- What is to be said to the world, written in the transaction that decided it.
--   say      something that happened: values frozen now, posted once
--   redraw   the message at `place` of the environment is out of date: drawn at delivery
--   private  an answer to one person, dropped when it is too old to matter
--   upload   a file; mail; sns
-- Rows of one conversation are delivered in the order of their ids.
CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN
        ('say', 'redraw', 'private', 'upload', 'mail', 'sns')),
    conversation  text NOT NULL,            -- 'env:12', 'mail:12', 'user:U0DEV', 'operators'
    environment   bigint REFERENCES environments (id),
    place         text NOT NULL CHECK (place IN
        ('message', 'thread', 'card', 'card-thread', 'operators', 'person', 'mail', 'sns')),
    template      text NOT NULL DEFAULT '', -- templates/slack/NAME.yaml or templates/mail/NAME.yaml
    content       jsonb NOT NULL DEFAULT '{}', -- the values for the template's holes
    recipient     text,                     -- a user, channel or address where place does not say
    created_at    timestamptz NOT NULL DEFAULT now(),
    due_at        timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,              -- private answers: after this it is dropped
    claimed_until timestamptz,              -- a sender works on it until then
    claimed_by    text,
    attempts      integer NOT NULL DEFAULT 0,
    sent_at       timestamptz,              -- delivered (or dropped: then error says why)
    parked        boolean NOT NULL DEFAULT false, -- cannot be delivered: for the operators
    error         text
);
CREATE INDEX outbox_waiting ON outbox (due_at, id) WHERE sent_at IS NULL AND NOT parked;
CREATE INDEX outbox_order ON outbox (conversation, id) WHERE sent_at IS NULL AND NOT parked;
CREATE INDEX outbox_parked ON outbox (id) WHERE parked;
CREATE INDEX outbox_sent ON outbox USING brin (sent_at);

-- Where a message of an environment stands, so that it can be updated and replied to.
CREATE TABLE messages (
    environment bigint NOT NULL REFERENCES environments (id),
    place       text NOT NULL CHECK (place IN ('message', 'card')),
    channel     text NOT NULL,
    ts          text NOT NULL,
    permalink   text,
    drawn_at    timestamptz NOT NULL DEFAULT now(), -- when it was last drawn
    PRIMARY KEY (environment, place)
);

-- What happened, for whoever asks later: never changed, never deleted.
CREATE TABLE audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    environment bigint REFERENCES environments (id),
    team        text,
    actor       text NOT NULL,              -- 'T0ACME/U0DEV', or 'envbot'
    actor_name  text NOT NULL,
    event       text NOT NULL,
    from_state  text,
    to_state    text,
    rule        text,                       -- the rule that allowed it
    envelope    text,                       -- the delivery it came with
    detail      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_by_environment ON audit (environment, id);
CREATE INDEX audit_by_time ON audit (at);
