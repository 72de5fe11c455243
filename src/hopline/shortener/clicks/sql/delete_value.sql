DELETE FROM breakdown WHERE link = ? AND day = ? AND dimension = ? AND value = ?;
