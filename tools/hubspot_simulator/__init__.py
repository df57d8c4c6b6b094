"""HubSpot's contacts API as one local process: limits, per-row errors, seeded faults, inspection.

Start it with `python -m tools.hubspot_simulator --port 0 --db :memory:`. It listens on 127.0.0.1 only
and prints one line, `hubspot simulator listening on http://127.0.0.1:<port>`.

Credentials that exist in a fresh portal (made up, valid nowhere else; portal 4711004):

==============================  ==========  ====================================================
token                           app id      meaning
==============================  ==========  ====================================================
``pat-sim-full-access``         1001        service key with every scope
``pat-sim-no-schema-scopes``    1002        service key without `crm.schemas.contacts.*`
``pat-sim-expired``             1003        service key that has expired (401 EXPIRED_AUTHENTICATION)
==============================  ==========  ====================================================

Every knob of `settings.Settings` is a command-line option (`--latency fast`), an environment variable
(`HUBSPOT_SIM_LATENCY=fast`), a key of the `--config` file, and, unless it is marked start-only, a key of
`POST /__sim/config`. An unknown knob refuses to start. It shares no code with the product it tests.
"""

from __future__ import annotations
