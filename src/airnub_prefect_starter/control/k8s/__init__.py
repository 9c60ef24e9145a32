"""Clusters from outside: docker, kind, kubectl, helm and skaffold as programs.

What does not belong here: Prefect, and what runs inside a cluster.
"""
