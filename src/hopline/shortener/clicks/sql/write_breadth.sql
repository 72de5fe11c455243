UPDATE daily SET breadth = ? WHERE link = ? AND day = ?;
