-- Over all rows this index also answered "what is not sent yet", by reading the whole table; the
-- partial indexes do that from the waiting rows alone. It is for clearing away what was sent.
DROP INDEX outbox_sent;
CREATE INDEX outbox_sent ON outbox USING brin (sent_at) WHERE sent_at IS NOT NULL;
