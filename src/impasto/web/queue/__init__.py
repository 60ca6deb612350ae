"""Owns the queue: jobs in SQLite, which is their only authoritative state.

| module | owns |
|---|---|
| `job` | a job's fields, states and allowed actions |
| `table` | reading jobs, and writing one |
| `jobs` | the clients' side: what people ask of jobs |
| `claims` | the workers' side: claiming a job, and reporting how it went |
"""
