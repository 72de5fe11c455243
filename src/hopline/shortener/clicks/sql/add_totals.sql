INSERT INTO totals (link, clicks, humans, bots, heads, prefetches, last_click)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (link) DO UPDATE SET
    clicks = clicks + excluded.clicks,
    humans = humans + excluded.humans,
    bots = bots + excluded.bots,
    heads = heads + excluded.heads,
    prefetches = prefetches + excluded.prefetches,
    -- max() of NULL and a number is NULL
    last_click = max(coalesce(last_click, excluded.last_click), coalesce(excluded.last_click, last_click));
