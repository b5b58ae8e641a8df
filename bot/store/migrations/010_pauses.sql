-- Who stopped new jobs from starting, and why; at most one is open. What is over stays, as an answer
-- to who asks why it took so long.
CREATE TABLE pauses (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace  text NOT NULL,
    user_id    text NOT NULL,
    user_name  text NOT NULL,
    reason     text NOT NULL,
    everything boolean NOT NULL DEFAULT false, -- deletions too
    paused_at  timestamptz NOT NULL DEFAULT now(),
    resumed_at timestamptz,
    told       boolean NOT NULL DEFAULT false, -- those who wait know that it began, or is over
    CHECK (reason <> '')
);
CREATE UNIQUE INDEX pauses_one_open ON pauses ((true)) WHERE resumed_at IS NULL;
CREATE INDEX pauses_untold ON pauses (id) WHERE NOT told;
