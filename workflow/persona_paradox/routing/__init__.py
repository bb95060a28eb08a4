"""Which persona, and when: policies over stored answers, valued on items that they did not see."""
