"""The source "etcd" with three members, each in a namespace of its own: paths that swallow everything
without a FIN, a lost leader, a lost quorum, a member that is cut off from the others."""
import pytest

from etcd_apart import EtcdApart
from etcd_cloud import HOST, FipdCloud
from etcd_server import b64
from waiting import wait_for

# The kernel itself gives a silent connection up after some 30 s: what is seen earlier, fipd saw.
DEADLINE = 15


class Cloud(FipdCloud):
    def __init__(self):
        super().__init__(lambda made: EtcdApart(made.lab, 3, made.host))

    def watched(self):
        """The member that fipd's source hangs on: watch and probe; its status may be with another."""
        return max(self.etcd.members, key=self.etcd.clients)

    def ask_other_than(self, member):
        self.etcd.asked = next(each for each in self.etcd.members if each is not member)
        return self.etcd.asked

    def clear(self):
        self.etcd.mend()
        self.wait_well(30)
        super().clear()


@pytest.fixture
def served(running):
    """With one floating IP, and a member that fipd hangs on."""
    running.put(3)
    running.wait_numbers(3)
    running.wait_well()
    return running


def test_a_path_that_swallows_everything_is_noticed_and_another_member_is_followed(served):
    hidden = served.watched()
    served.etcd.hide(hidden)
    served.ask_other_than(hidden)
    served.put(4)
    served.wait_numbers(3, 4, timeout=DEADLINE)
    served.wait_well()
    assert served.watched() is not hidden
    served.etcd.mend()
    served.put(5)
    served.wait_numbers(3, 4, 5)


def test_where_every_path_swallows_everything_nothing_is_removed_and_all_is_caught_up(served):
    for member in served.etcd.members:
        served.etcd.hide(member)
    served.wait_source("it is told", lambda each: "no answer in time" in str(each["problems"]),
                       DEADLINE)
    # Asked from within its own namespace.
    served.put(4)
    served.delete(3)
    assert served.numbers() == {3}
    served.etcd.mend()
    served.wait_numbers(4, timeout=30)
    served.wait_well()


def test_a_lost_leader_is_followed_by_another(served):
    leader = served.etcd.leader()
    leader.process.kill()
    other = served.ask_other_than(leader)
    wait_for(lambda: "header" in other.ask("/kv/put", {"key": b64("x"), "value": ""}), 30,
             "the others elect a leader", 0.2)
    served.put(4)
    served.wait_numbers(3, 4, timeout=30)
    served.wait_well()


def test_without_a_quorum_nothing_is_removed_and_its_end_is_noticed(served):
    kept = served.ask_other_than(served.etcd.leader())
    for member in served.etcd.members:
        if member is not kept:
            member.process.kill()
    # The one that lives accepts questions and cannot answer.
    served.wait_source("it is told", lambda each: any(
        kept.endpoint in problem and "no answer in time" in problem
        for problem in each["problems"]), DEADLINE)
    assert served.numbers() == {3}
    served.etcd.start()
    served.put(4)
    served.wait_numbers(3, 4, timeout=30)
    served.wait_well()


def test_a_member_that_is_cut_off_from_the_others_is_left_although_it_answers(served):
    lonely = served.watched()
    served.etcd.cut_off(lonely)
    other = served.ask_other_than(lonely)
    wait_for(lambda: "header" in other.ask("/kv/put", {"key": b64("x"), "value": ""}), 30,
             "the others have a leader", 0.2)
    served.put(4)
    served.wait_numbers(3, 4, timeout=DEADLINE)
    served.wait_well()
    # It was alive, and would have gone on saying what was true once.
    old = lonely.ask("/kv/range", {"key": b64(f"{HOST}id3"), "serializable": True})
    assert old["kvs"], old
    assert not lonely.ask("/kv/range", {"key": b64(f"{HOST}id4"), "serializable": True}).get("kvs")
