-- The rule for a status as two comparisons. SQLite builds a table in memory for a list of more than two values, in every
-- INSERT anew.
CREATE TABLE packet_now (
    order_id TEXT    NOT NULL PRIMARY KEY,
    user_id  TEXT    NOT NULL,
    sku      TEXT    NOT NULL,
    status   INTEGER NOT NULL CHECK (status BETWEEN 1 AND 3), -- 1: granted; 2: none left; 3: no campaign for the item
    amount   INTEGER NOT NULL CHECK ((status = 1) = (amount > 0)),
    at_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO packet_now SELECT * FROM packet;
DROP TABLE packet;
ALTER TABLE packet_now RENAME TO packet;
