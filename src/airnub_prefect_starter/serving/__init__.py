"""Models over HTTP. What does not belong here: how a model scores, which is core's."""
