"""A copy of the database knows nothing of what was paid after it. It is disarmed before it gets its name: put back, it
asks the person about each call that it would otherwise make, perhaps for the second time.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

PUT_BACK, PUT_BACK_EVENT = "PUT_BACK", "put_back"

_ABOUT = (
    "this library was put back from a copy, and it may have been made and paid since. Look into"
)
#: Free housekeeping and work on this machine do no harm when they are done again.
_AT_STAKE = "provider <> 'local' AND kind <> 'HOUSEKEEPING'"
_CALLED = "SELECT job_id FROM operation WHERE state IN ('submitted','unknown')"

#: Words of this file alone: nothing of a user's stands in these statements.
_DISARM = f"""
BEGIN IMMEDIATE;
INSERT INTO job_event (job_id, at, type)
  SELECT id, CAST(strftime('%s','now') AS INTEGER) * 1000, '{PUT_BACK_EVENT}' FROM job
   WHERE {_AT_STAKE} AND state IN ('queued','running','waiting','needs_attention');
UPDATE operation SET state = 'unknown', reply = '{{"evidence":"the library was put back from a copy"}}'
 WHERE state = 'intended';
UPDATE job SET state = 'needs_attention', generation = NULL, reason = '{PUT_BACK}',
       message = '{_ABOUT} Flow; then call resolve_job with action ''look_again'' (free), ''submit_again'', ''attach'' '
                 || '(and the media id) or ''give_up'''
 WHERE {_AT_STAKE} AND state IN ('running','waiting') AND id IN (SELECT job_id FROM operation WHERE state = 'unknown');
UPDATE job SET state = 'needs_attention', generation = NULL, reason = '{PUT_BACK}',
       message = CASE provider WHEN 'youtube' THEN '{_ABOUT} YouTube; then call resolve_job with action ''retry'', '
                                    || '''attach'' (and the id of the video) or ''give_up'''
                 ELSE '{_ABOUT} Flow; then call resolve_job with action ''retry'' or ''give_up''' END
 WHERE {_AT_STAKE} AND (state IN ('queued','running') OR (state = 'needs_attention' AND provider <> 'youtube'))
   AND id NOT IN ({_CALLED});
UPDATE job SET state = 'waiting', generation = NULL
 WHERE {_AT_STAKE} AND state = 'running' AND id IN ({_CALLED});
COMMIT;
"""


def disarm(file: Path) -> None:
    """Change a copy that nobody has opened yet. Blocking. Raises sqlite3.Error."""
    with closing(sqlite3.connect(file, isolation_level=None)) as copy:
        if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'job_event'").fetchone():
            copy.executescript(_DISARM)
