"""Clicks: none lost, none counted twice. From an answered redirect to a row in clicks.db.

A worker process packs a click (event.py) and appends it to its journal (journal.py, over segment.py and
spares.py) before it sends the answer. The ingester, a process of its own (ingest.py), reads the segments
(reading.py), works out agent, referrer and language (facts.py, agents.py, referrers.py), folds the batch in
memory (batch.py) and commits sums and reading positions in one transaction (rollup.py, sql/). The API and
the dashboard read the sums through sqlite.py. backup.py copies both halves while they are being written.

    to change                                   open
    what a click records                        event.py
    the bytes on disk                           segment.py (writing), reading.py
    what counts as a bot                        agents.py
    the sums that are kept                      sql/schema.sql, batch.py, rollup.py
    who is the same visitor, which country      visitors.py

A link's rows are not removed when the link is deleted: only the ingester writes here, and ids are never
used again, so the rows can't be taken for another link's.
"""
