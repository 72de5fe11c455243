SELECT dimension, count(*) FROM breakdown WHERE link = ? AND day = ? GROUP BY dimension;
