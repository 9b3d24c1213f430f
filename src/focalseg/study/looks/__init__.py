"""A job that is judged more than once: what each look may claim, and how a finished job goes on."""
