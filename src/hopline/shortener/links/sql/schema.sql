-- Links by counter value: new rows go to the end of the tree, which is what keeps inserts cheap.
CREATE TABLE IF NOT EXISTS links (
    id              INTEGER PRIMARY KEY,
    url             TEXT NOT NULL,
    created_at      INTEGER NOT NULL,  -- ms since 1970
    updated_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    user_id         TEXT,
    redirect_status INTEGER NOT NULL,
    custom_code     TEXT
) STRICT;

CREATE INDEX IF NOT EXISTS links_by_user ON links (user_id, id) WHERE user_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS custom_codes (
    code    TEXT PRIMARY KEY,
    link_id INTEGER NOT NULL REFERENCES links (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Deleted links that had their computed code: nobody may choose it, since it is on somebody's poster.
CREATE TABLE IF NOT EXISTS retired (
    id INTEGER PRIMARY KEY
) STRICT;

-- One row: the first counter value that no process has leased.
CREATE TABLE IF NOT EXISTS counter (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How many counter values each day took: what a restored backup reckons from.
CREATE TABLE IF NOT EXISTS lease_days (
    day    INTEGER PRIMARY KEY,  -- days since 1970, UTC
    leased INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
