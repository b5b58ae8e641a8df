-- A month's report reads the decisions of that month alone.
CREATE INDEX decisions_by_time ON decisions (decided_at);
