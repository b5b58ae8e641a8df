-- More time than the template gives without approval: a request of its own, while the environment
-- stays as it is. Its revision is the environment's, raised when it was asked.
CREATE TABLE changes (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment     bigint NOT NULL REFERENCES environments (id),
    revision        integer NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('extend', 'scale')),
    asker_workspace text NOT NULL,
    asker_id        text NOT NULL,
    asker_name      text NOT NULL,
    asker_mail      text,
    reason          text NOT NULL DEFAULT '',
    before          jsonb NOT NULL,
    after           jsonb NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN
        ('pending', 'approved', 'denied', 'withdrawn', 'lapsed')),
    tally           jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    decided_at      timestamptz,
    due_at          timestamptz             -- when the clock must look at it next
);
CREATE UNIQUE INDEX changes_one_open ON changes (environment) WHERE state = 'pending';
CREATE INDEX changes_due ON changes (due_at) WHERE state = 'pending' AND due_at IS NOT NULL;

-- Started without an approval by who may break the glass; the review that follows.
ALTER TABLE environments
    ADD COLUMN break_glass boolean NOT NULL DEFAULT false,
    ADD COLUMN review      jsonb;           -- {word: seen|ended, by, mention, at}, NULL: still open
-- A month's report lists these alone.
CREATE INDEX environments_break_glass ON environments (team, created_at) WHERE break_glass;
