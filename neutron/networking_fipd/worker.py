"""The process (or thread) of neutron-server that may become the leader."""
import os
import threading

from neutron_lib import worker as neutron_worker

from networking_fipd import leadership


class Worker(neutron_worker.BaseWorker):
    def __init__(self, options, host):
        super().__init__(worker_process_count=1, desc="networking_fipd")
        self._options = options
        self._host = host
        self._leadership = None
        self._thread = None

    def start(self):
        super().start(desc=self.desc)
        self._leadership = leadership.Leadership(self._options, f"{self._host}:{os.getpid()}")
        self._thread = threading.Thread(target=self._leadership.run, daemon=True,
                                        name="networking_fipd leadership")
        self._thread.start()

    def stop(self):
        if self._leadership is not None:
            self._leadership.stop()

    def wait(self):
        if self._thread is not None:
            self._thread.join()

    def reset(self):
        """SIGHUP: options that may change are none."""
