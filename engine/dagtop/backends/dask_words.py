"""Words that both sides of the Dask backend know; here neither side loads Dask."""

#: Of a reply of an attempt that was begun before, on a worker that has died.
AGAIN = "again"

#: Of the first thing that an attempt says: with it goes the address of its worker.
BEGUN = "begun"
