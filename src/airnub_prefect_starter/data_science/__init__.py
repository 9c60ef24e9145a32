"""Prototyping: scripts on files of this machine, thin over the functions of core.

What is here reads and writes ``data/``, ``models/`` and ``reports/``; no store, no Prefect. A
function that a flow needs too belongs into core.
"""
