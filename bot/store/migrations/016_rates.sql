-- What it cost an hour before: a list of {until, usd}, the oldest first; hourly_usd is the rate since
-- the last of them. NULL: it never changed.
ALTER TABLE environments ADD COLUMN rates jsonb;
