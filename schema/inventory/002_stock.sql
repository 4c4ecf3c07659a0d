-- Stock and orders of one shard. The process that holds the lock beside the file is the only writer.

-- One row. receipt_no is the last one given out; epoch that of the latest take-over (see broadcast_stock.h).
CREATE TABLE shard (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    shard      INTEGER NOT NULL, -- the file belongs to this shard; -1: to none yet
    epoch      INTEGER NOT NULL,
    receipt_no INTEGER NOT NULL,
    mismatches INTEGER NOT NULL  -- orders that came again with another user, item or quantity; the first stood
) STRICT;
INSERT INTO shard (id, shard, epoch, receipt_no, mismatches) VALUES (1, -1, 0, 0, 0);

-- The catalogue. Conserved, for each item: stock_left + the quantities of its confirmed orders = stock_total.
CREATE TABLE item (
    item_id        INTEGER PRIMARY KEY,
    sku            TEXT    NOT NULL UNIQUE,
    name           TEXT    NOT NULL,
    unit_price     INTEGER NOT NULL CHECK (unit_price >= 0), -- in the smallest unit (fen)
    stock_total    INTEGER NOT NULL CHECK (stock_total >= 0),
    stock_left     INTEGER NOT NULL CHECK (stock_left >= 0 AND stock_left <= stock_total),
    limit_per_user INTEGER NOT NULL CHECK (limit_per_user >= 0), -- units; 0: no limit
    starts_ms      INTEGER NOT NULL, -- the window is starts_ms <= t < ends_ms; 0: open on that side
    ends_ms        INTEGER NOT NULL,
    paused         INTEGER NOT NULL CHECK (paused IN (0, 1)),
    created_ms     INTEGER NOT NULL,
    changed_ms     INTEGER NOT NULL  -- by an operator, not by a sale
) STRICT;

-- Every order that was decided, once. Ids without a key grow with time, so their rows are appended; keyed ones are
-- random and cost a page each, which the transaction shares among many. No further index: each would cost another.
-- For a confirmed order total = unit_price * quantity.
CREATE TABLE orders (
    order_id       TEXT    NOT NULL PRIMARY KEY,
    user_id        TEXT    NOT NULL,
    sku            TEXT    NOT NULL,
    quantity       INTEGER NOT NULL,
    accepted_ms    INTEGER NOT NULL, -- as the order said
    decided_ms     INTEGER NOT NULL,
    reason         INTEGER NOT NULL, -- 0: confirmed; else why not: enum reject_reason in message.h
    unit_price     INTEGER, -- these three: confirmed only
    receipt_no     INTEGER, -- unique and rising in the shard, in the order of the decisions
    limit_per_user INTEGER  -- the limit that held at the decision; 0: none
) STRICT, WITHOUT ROWID;

-- Units confirmed for each user, of those items only that have a limit. Made from orders when an item gets one.
CREATE TABLE buyer (
    item_id INTEGER NOT NULL,
    user_id TEXT    NOT NULL,
    units   INTEGER NOT NULL CHECK (units > 0),
    PRIMARY KEY (item_id, user_id)
) STRICT, WITHOUT ROWID;
