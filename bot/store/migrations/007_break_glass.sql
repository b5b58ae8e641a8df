-- Started without an approval by who may break the glass; the review that follows.
ALTER TABLE environments
    ADD COLUMN break_glass boolean NOT NULL DEFAULT false,
    ADD COLUMN review      jsonb;           -- {word: seen|ended, by, mention, at}, NULL: still open
-- A month's report lists these alone.
CREATE INDEX environments_break_glass ON environments (team, created_at) WHERE break_glass;
