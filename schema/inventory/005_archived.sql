-- How many orders were moved into the archive (schema/archive). With more than none, inventory does not begin without
-- an archive that has them: an order that comes again must be found there.
ALTER TABLE shard ADD COLUMN archived INTEGER NOT NULL DEFAULT 0 CHECK (archived >= 0);
