"""Threads that run by themselves, whatever serves the API.

neutron-server patches threading by eventlet: its green threads run whenever the process waits. Under
uWSGI the same patch leaves a green thread stuck as soon as the request that began it is over, since
nobody runs that hub any more: there a real thread is needed, with real locks.
"""
import sys
import threading
import time

try:
    from eventlet import patcher
except ImportError:  # Neutron will do without eventlet
    patcher = None


def _under_uwsgi():
    """uWSGI puts a module of its name into the interpreters it runs."""
    return "uwsgi" in sys.modules


def primitives():
    """(threading, time) to use for a thread of our own in this process."""
    if patcher is not None and patcher.is_monkey_patched("thread") and _under_uwsgi():
        return patcher.original("threading"), patcher.original("time")
    return threading, time
