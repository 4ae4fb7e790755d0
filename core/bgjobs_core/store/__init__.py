"""**The store**: all of bgjobs' data in Redis. One method, and one file in `lua/`, for each verb."""
