SELECT day, sketch FROM daily WHERE link = ? AND day BETWEEN ? AND ?;
