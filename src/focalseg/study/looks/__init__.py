"""A job that is judged more than once: what each look may claim, how a finished job goes on, and when it has gone far enough."""
