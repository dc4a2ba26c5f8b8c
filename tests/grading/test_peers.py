"""What the process of an answer can ask that of the checker for."""

import socket

from grading import peers


def test_an_answer_can_ask_the_checker_for_these_operations_alone():
    ours, _ = socket.socketpair()
    asked = {"call", "forward", "next", "step", "zero_grad", "state_dict", "load_state_dict", "backward"}
    assert peers.Peer(ours, trusting=False).served.keys() == asked
