"""Processes that are forked from one with an open classifier, as gunicorn's --preload and multiprocessing do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

PARENT = """
import multiprocessing, os, signal, sys, threading
import numpy
from sketch_infer import Classifier, ClassifierStateError
SKETCH = numpy.array([[0.5, 0, 0], [0, 1, 0], [-0.5, 0, 0], [0, -1, 1]])
classifier = Classifier(sys.argv[1], "cpu", threads=2)
for _ in range(2):  # the second call opens a session of two threads
    expected = classifier.predict(SKETCH).logits

def reopen():
    global classifier
    classifier = Classifier(sys.argv[1], "cpu", threads=2)  # the name is used again: the parent's copy is dropped
    for _ in range(2):
        assert (classifier.predict(SKETCH).logits == expected).all()

def child_ends(child, code):
    pid = os.fork()
    if not pid:
        signal.alarm(20)  # ends a child that hangs
        child()
        sys.exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
"""


def run(model: Path, code: str) -> str:
    command = [sys.executable, "-c", PARENT + code, str(model)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_child_ends_as_it_wants(tiny_onnx: Path) -> None:
    run(tiny_onnx, "child_ends(lambda: None, 3)")


def test_a_child_closes_its_copy(tiny_onnx: Path) -> None:
    run(tiny_onnx, "classifier._sessions._lock.acquire(); child_ends(classifier.close, 4)")


def test_a_child_opens_its_own(tiny_onnx: Path) -> None:
    run(tiny_onnx, "child_ends(reopen, 5); child_ends(lambda: child_ends(reopen, 6), 7)")


def test_a_child_is_told_to_open_its_own(tiny_onnx: Path) -> None:
    code = """
def use():
    try:
        classifier.predict(SKETCH)
    except ClassifierStateError as error:
        print(error, flush=True)

child_ends(use, 0)
assert (classifier.predict(SKETCH).logits == expected).all()
"""
    message = run(tiny_onnx, code)
    assert "copied by a fork into" in message
    assert "open one in each process" in message


def test_children_while_threads_predict(tiny_onnx: Path) -> None:
    code = """
stop = threading.Event()
def predict():
    while not stop.is_set():
        classifier.predict([SKETCH] * 40)
threads = [threading.Thread(target=predict) for _ in range(2)]
for thread in threads:
    thread.start()
for number in range(5):
    child_ends(lambda: None, number)
stop.set()
"""
    run(tiny_onnx, code)


def test_multiprocessing_by_fork(tiny_onnx: Path) -> None:
    code = """
def label(number):
    return classifier.predict(SKETCH).labels[0]

with multiprocessing.get_context("fork").Pool(2, reopen) as pool:
    assert pool.map(label, range(8)) == classifier.predict([SKETCH] * 8).labels
    pool.close()
    pool.join()
"""
    run(tiny_onnx, code)
