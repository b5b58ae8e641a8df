-- Two accounts with one mail address are one person and have one vote. NULL where it is not known,
-- as with what was decided before.
ALTER TABLE decisions ADD COLUMN mail text;
