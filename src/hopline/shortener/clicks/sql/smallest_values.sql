-- All but the ? most clicked values; "(other)" is no value of its own.
SELECT value, clicks FROM breakdown
WHERE link = ? AND day = ? AND dimension = ? AND value <> '(other)'
ORDER BY clicks DESC, value
LIMIT -1 OFFSET ?;
