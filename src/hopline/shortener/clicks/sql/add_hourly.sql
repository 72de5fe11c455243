INSERT INTO hourly (link, hour, clicks, humans, bots, heads, prefetches)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (link, hour) DO UPDATE SET
    clicks = clicks + excluded.clicks,
    humans = humans + excluded.humans,
    bots = bots + excluded.bots,
    heads = heads + excluded.heads,
    prefetches = prefetches + excluded.prefetches;
