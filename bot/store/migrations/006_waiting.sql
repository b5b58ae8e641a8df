-- What happens while a request waits for its decision: reminders, a second channel, a question.
ALTER TABLE environments
    ADD COLUMN reminded       integer NOT NULL DEFAULT 0, -- so many of the policy's reminders are over
    ADD COLUMN remind_at      timestamptz,                -- when the next one is due
    ADD COLUMN escalated_at   timestamptz,
    ADD COLUMN paused_seconds bigint NOT NULL DEFAULT 0,  -- so long lapse stood still for questions
    ADD COLUMN question       jsonb;                      -- the open one, as the card shows it
CREATE INDEX environments_pending ON environments (id) WHERE state = 'pending';
CREATE INDEX environments_reminding ON environments (remind_at)
    WHERE state = 'pending' AND remind_at IS NOT NULL;

CREATE TABLE questions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment bigint NOT NULL REFERENCES environments (id),
    revision    integer NOT NULL,
    workspace   text NOT NULL,
    user_id     text NOT NULL,
    user_name   text NOT NULL,
    question    text NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    answer      text,
    answered_at timestamptz
);
CREATE INDEX questions_by_environment ON questions (environment, id);

-- Whether anybody could approve a request: when and under which version of the rules that was
-- looked at last, and under which its owner was told that nobody can.
CREATE TABLE looks (
    environment bigint PRIMARY KEY REFERENCES environments (id),
    looked_at   timestamptz NOT NULL DEFAULT now(),
    rules       text NOT NULL,
    told        text[] NOT NULL DEFAULT '{}'
);
