"""Links: what they are, how their codes come about, and where they are kept.

link.py            values                                   pure
protocol.py        what a store of links promises
codes.py           a counter value to a code and back       pure
custom_codes.py    codes that people choose                 pure
words.py           codes that nobody would choose           pure
urls.py, hosts.py  which addresses are taken, and how they are written   pure
service.py         what API and dashboard share: validation, then the store
moments.py         times as people write them               pure
sqlite.py          a store: threads, queue and groups over sqlite_rows.py and sql/
versions.py        how an edit reaches the other processes
backup.py          copies, and the counter of a restored one
"""
