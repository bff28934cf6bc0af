"""The same training runs on many processes and machines, by dask.distributed."""
