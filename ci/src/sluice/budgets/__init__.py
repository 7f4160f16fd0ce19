"""Error budgets: what happens as one is spent, and what became of each in a month; pure."""
