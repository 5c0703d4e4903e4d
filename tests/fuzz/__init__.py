"""What goes over our lines, spoilt: recorded from real servers, then changed bit by bit, either way round.

Each module has one `async def fuzz(count, seed)`. A number of an input and the seed make it again.
"""
