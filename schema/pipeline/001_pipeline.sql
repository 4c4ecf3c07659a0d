-- The tables of the pipeline itself: what came in, what must still go out. They are the same in every worker's file;
-- common/pipeline/inbox.c and outbox.c are their only writers. A migration that was released is never edited: add one.

-- Each batch that a front end published and this worker handled, once, in the transaction that handled it. It is what
-- `seckillctl audit` holds the front ends' ledgers against: orders = decided + duplicates + dead, and every (producer,
-- seq, count) of a ledger is here or still queued. The numbers are those of the first delivery; a later one (a
-- redelivery, a second copy) raises deliveries, because its lines are duplicates of what this row counts. What is new
-- in it all the same, since its producer used a number again, is added to orders and decided.
--
-- Messages without our headers have no batch: they add up in the one row with producer '' and seq 0 (there, orders are
-- the lines found, and deliveries the messages).
CREATE TABLE batch_seen (
    producer   TEXT    NOT NULL, -- header seckill-producer
    seq        INTEGER NOT NULL, -- header seckill-seq
    orders     INTEGER NOT NULL, -- header seckill-count
    decided    INTEGER NOT NULL, -- lines that were new here
    duplicates INTEGER NOT NULL, -- lines that had been decided before, or twice in this batch
    dead       INTEGER NOT NULL, -- lines that were dead-lettered
    deliveries INTEGER NOT NULL,
    PRIMARY KEY (producer, seq)
) STRICT, WITHOUT ROWID;

-- How often a redelivered message was begun and not finished. Committed before the message is handled, deleted in the
-- transaction that handles it: what stays has brought the process down each time, and is or becomes a dead letter.
CREATE TABLE attempt (
    message  TEXT    NOT NULL PRIMARY KEY, -- message_id and a hash of the body: see inbox.h
    attempts INTEGER NOT NULL,
    first_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every dead letter that was made here, by what it came from, so that a redelivery does not make it twice. The letter
-- itself went through the outbox to seckill.dead.
CREATE TABLE dead_letter (
    message TEXT    NOT NULL, -- as in attempt
    line    INTEGER NOT NULL, -- from 1; 0: the whole message
    orders  INTEGER NOT NULL, -- lines in the letter: 1, or all of the message's
    reason  TEXT    NOT NULL, -- 'malformed', 'poison', …
    detail  TEXT    NOT NULL, -- what was wrong, for people
    at_ms   INTEGER NOT NULL,
    PRIMARY KEY (message, line)
) STRICT, WITHOUT ROWID;

-- Whole messages that must be published: appended in the transaction that makes them true, deleted when the broker has
-- confirmed them. AUTOINCREMENT, so that an id, and with it the message_id, is never used twice.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    exchange    TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    message_id  TEXT, -- NULL: made of the service's name and the id
    headers     TEXT, -- a JSON object of texts and integers, or NULL
    body        BLOB NOT NULL
) STRICT;

-- A row that is written and taken away again before any work begins: can this disk be written at all?
CREATE TABLE write_test (
    id      INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
) STRICT;
