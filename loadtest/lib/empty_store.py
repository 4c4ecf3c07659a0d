"""Empties inventory's database while it does not run: empty_store.py DATABASE EPOCH [outbox].

The orders, the batches seen and what is still to be sent go, and the file shrinks; the items stay as they are. With
"outbox" only what is still to be sent goes. EPOCH becomes the file's: front ends listen to the highest.
"""
import sqlite3
import sys

database, epoch, only_outbox = sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["outbox"]
connection = sqlite3.connect(database, isolation_level=None)
for table in ("outbox",) if only_outbox else ("outbox", "orders", "batch_seen"):
    connection.execute(f"DELETE FROM {table}")
connection.execute("UPDATE shard SET epoch = ?", (epoch,))
if not only_outbox:
    connection.execute("VACUUM")
connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
connection.close()
