-- An environment has more messages than one and a card: a second card where it was escalated to, a
-- review after breaking the glass, a card for each change of a ready environment.
ALTER TABLE messages DROP CONSTRAINT messages_place_check;
ALTER TABLE messages ADD CONSTRAINT messages_place_check CHECK (place ~
    '^(message|review|(card|change-[0-9]+)(-escalated)?)$');
ALTER TABLE outbox DROP CONSTRAINT outbox_place_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_place_check CHECK (place ~
    '^(message|thread|operators|person|mail|sns|(review|(card|change-[0-9]+)(-escalated)?)(-thread)?)$');
