"""Owns painting: the dispatcher in the server, and the processes that it has paint.

| module | owns |
|---|---|
| `protocol` | the messages between the two |
| `executor` | starting, ending and replacing the processes |
| `dispatcher` | giving them jobs, and storing their reports |
| `worker`, `run` | the process, and the painting of one job in it |
"""
