"""Words that both sides of the Dask backend know; here neither side loads Dask."""

#: Of a reply of an attempt that was begun before, on a worker that has died.
AGAIN = "again"

#: Of a reply that went to the engine before the attempt ended.
SENT = "sent"

#: Of the first thing that an attempt says: with it goes the address of its worker.
BEGUN = "begun"

#: The number of the batch that comes last, whatever the numbers before.
LAST = -1

#: Of the last thing that an attempt says: with it goes its reply.
REPLY = "reply"
