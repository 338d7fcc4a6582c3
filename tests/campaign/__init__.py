"""The proof of revocation on real processes: workers, load, an administrator and faults, each a process of its own.

    load ──requests──> workers (uvicorn) ──through proxies──> PostgreSQL, Redis <── admin: off, on, rotate, delete
      └── every answer, with when its request began and ended ──> truth: right, wrong, or nobody could know

Run: `python -m tests.campaign`, from the root of the project.
"""
