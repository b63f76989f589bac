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
        self._pid = 0

    def start(self):
        super().start(desc=self.desc)
        self.start_thread()

    def start_thread(self):
        """Once in a process."""
        if self._thread is not None and self._pid == os.getpid():
            return
        self._pid = os.getpid()
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
