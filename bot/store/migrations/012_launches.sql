-- What keeps a job from starting, and which claim of it (its fencing number), so that it is told once.
ALTER TABLE jobs
    ADD COLUMN trouble        text,
    ADD COLUMN trouble_before bigint;
