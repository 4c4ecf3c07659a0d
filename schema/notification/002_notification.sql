-- Messages to buyers. The process that holds the lock beside the file is the only writer.

-- One record for each (order, kind of event), whatever becomes of it.
CREATE TABLE notification (
    order_id   TEXT    NOT NULL,
    kind       INTEGER NOT NULL, -- enum event_kind in event_message.h
    state      INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4)), -- 1: pending, in to_send; 2: sent; 3: waits in a delay
                                                               -- queue for its next attempt; 4: failed, a dead letter
    attempts   INTEGER NOT NULL, -- of sending, that ended
    last_error TEXT,             -- of the latest attempt that failed
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    PRIMARY KEY (order_id, kind)
) STRICT, WITHOUT ROWID;

-- What is to be sent now, in the order in which it came. A row goes when its attempt has ended; what a crash leaves is
-- sent again.
CREATE TABLE to_send (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id TEXT    NOT NULL,
    kind     INTEGER NOT NULL,
    line     BLOB    NOT NULL -- the event
) STRICT;
