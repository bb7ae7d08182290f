"""The drift worker: streams under watch, hour by hour, and what is exported of them."""
