-- Decided orders of one shard that `seckillctl archive` has moved out of inventory's file. The process that holds the
-- lock beside that file is the only writer of this one too.
--
-- Every order is here before inventory's file loses it, durably; so it may be in both for a moment, never in neither.

CREATE TABLE orders ( -- as in schema/inventory
    order_id       TEXT    NOT NULL PRIMARY KEY,
    user_id        TEXT    NOT NULL,
    sku            TEXT    NOT NULL,
    quantity       INTEGER NOT NULL,
    accepted_ms    INTEGER NOT NULL,
    decided_ms     INTEGER NOT NULL,
    reason         INTEGER NOT NULL,
    unit_price     INTEGER,
    receipt_no     INTEGER,
    limit_per_user INTEGER
) STRICT, WITHOUT ROWID;

-- One row. An order that comes again is looked for here if its id is not beyond highest_id, or if the filter over those
-- that are (keyed ids, which are random) says that it may be here: see archive_store.h.
CREATE TABLE horizon (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    shard      INTEGER NOT NULL, -- as in inventory's file; -1: none yet
    orders     INTEGER NOT NULL, -- rows above: an older copy of this file has fewer than inventory says
    highest_id TEXT    NOT NULL,
    -- The orders in (from_id, to_id] that are here were copied last, and may still have to be taken out of inventory's
    -- file; '' and '': none.
    from_id    TEXT    NOT NULL,
    to_id      TEXT    NOT NULL
) STRICT;
INSERT INTO horizon (id, shard, orders, highest_id, from_id, to_id) VALUES (1, -1, 0, '', '', '');
