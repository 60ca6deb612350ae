"""Owns what clients can do in the studio, independent of HTTP.

| module | owns |
|---|---|
| `studio` | submitting and changing jobs; starting and stopping everything |
| `validation` | checking a job before it is queued, and estimating its cost |
| `sweeps` | jobs over a grid of settings, and their labelled sheet |
| `fast` | painting at once with a fast model |
| `views` | jobs and pictures as responses show them |
"""
