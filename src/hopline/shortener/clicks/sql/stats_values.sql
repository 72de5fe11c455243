-- Over many days there can be many values: the 50 most clicked, and all the others under one name.
WITH summed AS (
    SELECT dimension, value, sum(clicks) AS clicks FROM breakdown
    WHERE link = ? AND day BETWEEN ? AND ?
    GROUP BY dimension, value
),
ranked AS (
    SELECT dimension, value, clicks,
        row_number() OVER (PARTITION BY dimension ORDER BY value = '(other)', clicks DESC, value) AS place
    FROM summed
)
SELECT dimension, CASE WHEN place <= 50 THEN value ELSE '(other)' END AS shown, sum(clicks)
FROM ranked
GROUP BY dimension, shown
ORDER BY dimension, sum(clicks) DESC, shown;
