"""Owns the paths: each module has a router, and each route passes its request to the studio."""

from impasto.web.http.routes import catalogue, events, fast, jobs, looks, pictures, session, sweeps

ROUTERS = (
    session.router,
    catalogue.router,
    pictures.router,
    jobs.router,
    events.router,
    sweeps.router,
    fast.router,
    looks.router,
)

__all__ = ["ROUTERS"]
