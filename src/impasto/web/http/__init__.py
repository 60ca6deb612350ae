"""Owns HTTP: the application, its routes, who may use them, and the server process.

| module | owns |
|---|---|
| `app` | the ASGI application |
| `server` | the listening process, and its signals |
| `guard` | checks on every request: host, origin, token, size, deadline |
| `authentication` | the token, its cookie, and the limit on guesses |
| `handlers` | exceptions as problem details |
| `streams` | server-sent events |
| `routes` | the paths |
"""
