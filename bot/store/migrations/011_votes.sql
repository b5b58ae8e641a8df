-- A vote can be taken back until the decision, and given again. The word says so, too: a version of
-- the program from before counts what says 'approve'. Votes belong to the card that showed what they
-- are about.
ALTER TABLE decisions
    ADD COLUMN card          text NOT NULL DEFAULT 'card',
    ADD COLUMN taken_back_at timestamptz;
ALTER TABLE decisions DROP CONSTRAINT decisions_word_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_word_check CHECK
    (word IN ('approve', 'deny', 'taken-back'));
ALTER TABLE decisions DROP CONSTRAINT decisions_environment_revision_workspace_user_id_key;
CREATE UNIQUE INDEX decisions_standing ON decisions (environment, card, revision, workspace, user_id)
    WHERE taken_back_at IS NULL;
