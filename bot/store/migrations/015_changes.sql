-- A change of what runs (scale, upgrade, sleep, wake): the one under way, with what it takes before
-- and after (lifecycle/change.h). While it is under way, the row reserves the larger of the two.
ALTER TABLE environments
    ADD COLUMN change jsonb,
    ADD COLUMN awake  jsonb;    -- what a sleeping one takes when it is awake
