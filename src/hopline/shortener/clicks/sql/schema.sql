-- clicks.db, written by the ingester alone. Hours and days are numbers since 1970-01-01 UTC, clicks are
-- humans + bots; heads and prefetches are not clicks.

CREATE TABLE IF NOT EXISTS totals (
    link INTEGER PRIMARY KEY,
    clicks INTEGER NOT NULL,
    humans INTEGER NOT NULL,
    bots INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    prefetches INTEGER NOT NULL,
    last_click INTEGER -- ms since 1970, NULL until the first click
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS hourly (
    link INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    humans INTEGER NOT NULL,
    bots INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    prefetches INTEGER NOT NULL,
    PRIMARY KEY (link, hour)
) WITHOUT ROWID;

-- Dimensions are numbered in facts.py. At most 100 values a day and dimension; see overflow in rollup.py.
CREATE TABLE IF NOT EXISTS breakdown (
    link INTEGER NOT NULL,
    day INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    value TEXT NOT NULL,
    clicks INTEGER NOT NULL,
    PRIMARY KEY (link, day, dimension, value)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS daily (
    link INTEGER NOT NULL,
    day INTEGER NOT NULL,
    breadth INTEGER NOT NULL, -- no dimension of this link and day has more values than this
    sketch BLOB NOT NULL, -- a HyperLogLog of the day's visitors
    PRIMARY KEY (link, day)
) WITHOUT ROWID;

-- How far each journal segment is counted; changed in the transaction that counts. A row stays as long as the
-- file could still be there.
CREATE TABLE IF NOT EXISTS segments (
    id TEXT PRIMARY KEY, -- the file's name
    position INTEGER NOT NULL,
    damaged INTEGER NOT NULL,
    skipped INTEGER NOT NULL, -- bytes of damaged stretches
    finished_at INTEGER -- ms since 1970: read to its end, and its writer is gone
) WITHOUT ROWID;
