"""What has changed in the database and is not yet in etcd; one thread a process writes it.

add() only notes ids and returns: API requests never wait for etcd. The thread takes all that has
gathered, so that a burst is few transactions. While etcd is away the notes stay; too many of them
are dropped, because the leader's comparison finds what a process forgets.
"""
import os
import random

from oslo_log import log as logging

from networking_fipd import threads

LOG = logging.getLogger(__name__)

MOST_KEPT = 20000
MOST_AT_ONCE = 100
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0


class Pending:
    def __init__(self, write, resolve):
        """write(ids) writes them or raises; resolve(kind, key) -> ids that it concerns."""
        self._write = write
        self._resolve = resolve
        self._begin()

    def _begin(self):
        self._pid = os.getpid()
        self._threading, self._time = threads.primitives()
        self._changed = self._threading.Condition()
        self._notes = {}      # (kind, key) -> None, in order
        self._thread = None

    def add(self, kind, key):
        """kind: "fip", or what resolve() knows."""
        if not key:
            return
        if self._pid != os.getpid():
            # A forked API worker: the parent's thread is not here.
            self._begin()
        with self._changed:
            if len(self._notes) >= MOST_KEPT:
                LOG.warning("more than %d changes wait for etcd: the next comparison will find "
                            "those that are dropped now", MOST_KEPT)
                self._notes.clear()
            self._notes[kind, key] = None
            if self._thread is None or not self._thread.is_alive():
                self._thread = self._threading.Thread(target=self._run, daemon=True,
                                                      name="networking_fipd")
                self._thread.start()
            self._changed.notify()

    def _run(self):
        failures = 0
        while True:
            notes = self._take()
            try:
                self._process(notes)
                if failures:
                    LOG.info("etcd and the database can be reached again")
                failures = 0
            except Exception as error:
                # Whatever it is, this thread must live: nobody else has these notes.
                self._put_back(notes)
                failures += 1
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10))
                pause *= random.uniform(0.5, 1.0)
                (LOG.warning if failures in (1, 10) else LOG.debug)(
                    "%d changes are not in etcd yet (next attempt in %.1f s): %s",
                    len(notes), pause, error, exc_info=not str(error))
                self._time.sleep(pause)

    def _take(self):
        with self._changed:
            while not self._notes:
                self._changed.wait()
            taken = list(self._notes)[:MOST_AT_ONCE]
            for note in taken:
                del self._notes[note]
            return taken

    def _put_back(self, notes):
        with self._changed:
            newer, self._notes = self._notes, dict.fromkeys(notes)
            self._notes.update(newer)

    def _process(self, notes):
        ids = set()
        for kind, key in notes:
            if kind == "fip":
                ids.add(key)
            else:
                ids.update(self._resolve(kind, key))
        if ids:
            self._write(ids)
