SELECT hour / 24, sum(clicks), sum(humans), sum(bots) FROM hourly
WHERE link = ? AND hour BETWEEN ? * 24 AND ? * 24 + 23
GROUP BY hour / 24;
