"""Delta tables in the store's ``tables/``: writing, snapshots, and the steps between layers.

Reading goes through SQL (`Lake.query`) in bounded memory; pandas holds one batch or a small result.
Nothing here knows Prefect. ``deltalake`` is imported by the modules that need it, never by those
that hold configuration models (``steps.py``).
"""
