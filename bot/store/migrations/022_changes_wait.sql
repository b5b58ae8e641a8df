-- A change request waits as a request does: with reminders, a second channel and a question.
ALTER TABLE change_requests
    ADD COLUMN reminded       integer NOT NULL DEFAULT 0,
    ADD COLUMN remind_at      timestamptz,
    ADD COLUMN escalated_at   timestamptz,
    ADD COLUMN paused_seconds bigint NOT NULL DEFAULT 0,
    ADD COLUMN question       jsonb,
    ADD COLUMN due_at         timestamptz; -- when the clock must look at it; NULL: at once
CREATE INDEX change_requests_reminding ON change_requests (remind_at)
    WHERE state = 'pending' AND remind_at IS NOT NULL;

-- Which card a question is about, and of which one it was looked whether anybody could approve it:
-- an environment has one that waits.
ALTER TABLE questions ADD COLUMN card text NOT NULL DEFAULT 'card';
ALTER TABLE looks ADD COLUMN card text NOT NULL DEFAULT 'card';
