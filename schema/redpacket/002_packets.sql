-- Red packets: what may be given away, and what was given to whom. The process that holds the lock beside the file is
-- the only writer.

-- Conserved, for each campaign: budget_left + the amounts of its granted packets = budget, and packets_left + their
-- number = packets. An operator changes budget and packets, never what was granted.
CREATE TABLE campaign (
    sku          TEXT    NOT NULL PRIMARY KEY,
    budget       INTEGER NOT NULL CHECK (budget >= 0), -- in the smallest unit (fen)
    packets      INTEGER NOT NULL CHECK (packets >= 0),
    min_amount   INTEGER NOT NULL CHECK (min_amount >= 1),
    budget_left  INTEGER NOT NULL CHECK (budget_left >= 0 AND budget_left <= budget),
    packets_left INTEGER NOT NULL CHECK (packets_left >= 0 AND packets_left <= packets),
    created_ms   INTEGER NOT NULL,
    changed_ms   INTEGER NOT NULL,
    CHECK (budget_left >= packets_left * min_amount)
) STRICT, WITHOUT ROWID;

-- Every confirmed order whose event came here, once, with what became of it: also where there was nothing to give, so
-- that the event's next copy, after a campaign was put up, finds the same.
CREATE TABLE packet (
    order_id TEXT    NOT NULL PRIMARY KEY,
    user_id  TEXT    NOT NULL,
    sku      TEXT    NOT NULL,
    status   INTEGER NOT NULL CHECK (status IN (1, 2, 3)), -- 1: granted; 2: none left; 3: no campaign for the item
    amount   INTEGER NOT NULL CHECK ((status = 1) = (amount > 0)),
    at_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each buyer was granted in all: the sum over packet.
CREATE TABLE balance (
    user_id TEXT    NOT NULL PRIMARY KEY,
    amount  INTEGER NOT NULL CHECK (amount > 0),
    packets INTEGER NOT NULL CHECK (packets > 0)
) STRICT, WITHOUT ROWID;
