"""Empties tables of a service's database while it does not run.

With --epoch the number becomes that of inventory's file: front ends listen to the highest. The file shrinks, but not
with --keep-size, which is faster.
"""
import argparse
import sqlite3

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--epoch", type=int)
arguments.add_argument("--keep-size", action="store_true")
arguments.add_argument("database")
arguments.add_argument("tables", nargs="+")
options = arguments.parse_args()

connection = sqlite3.connect(options.database, isolation_level=None)
for table in options.tables:
    connection.execute(f"DELETE FROM {table}")
if options.epoch is not None:
    connection.execute("UPDATE shard SET epoch = ?", (options.epoch,))
if not options.keep_size:
    connection.execute("VACUUM")
connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
connection.close()
