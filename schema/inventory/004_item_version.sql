-- What operators made of an item, counted: it rises with each change and restock, never with a sale. A change may be
-- bound to the version that its author has seen.
ALTER TABLE item ADD COLUMN version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1);

-- Each restock, once, by the key that its asker gave it: the same key again is answered from here and adds nothing.
-- What a row says of the item is how the restock left it.
CREATE TABLE restock (
    item_id     INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    quantity    INTEGER NOT NULL CHECK (quantity > 0), -- units
    stock_total INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (item_id, key)
) STRICT, WITHOUT ROWID;
