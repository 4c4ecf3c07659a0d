-- What became of a dead letter: NULL while it waits in seckill.dead (or in the outbox, on its way there). `seckillctl
-- dead replay|drop` tells its owner, which writes it here, so that the audit can tell a letter that an operator has
-- dealt with by name from one that only disappeared.
ALTER TABLE dead_letter ADD COLUMN settled TEXT CHECK (settled IN ('replayed', 'dropped'));
ALTER TABLE dead_letter ADD COLUMN settled_ms INTEGER;
-- How often it was made: once, and once more each time that its replay came to nothing. A letter says which making of
-- it is, so that what is settled is that one, and never one that was made meanwhile.
ALTER TABLE dead_letter ADD COLUMN times INTEGER NOT NULL DEFAULT 1 CHECK (times >= 1);
