-- The moment that was asked for as the end; NULL: a length of time, which counts from ready.
ALTER TABLE environments ADD COLUMN until timestamptz;
