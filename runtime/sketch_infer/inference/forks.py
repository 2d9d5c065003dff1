"""What becomes of ONNX Runtime's sessions in a child of `os.fork`.

A fork copies a session but not its threads. To free the copy means to wait for those threads, for ever: at the child's
end, or as soon as the name is used again. So a child never frees what it inherited; its pages are the parent's anyway,
until one of them writes to them.
"""

import os
import weakref
from typing import Any

_sessions: "weakref.WeakSet[Any]" = weakref.WeakSet()


def keep_in_children(session: object) -> None:
    """Have each child that is forked from now on keep its copy of a session to its end."""
    _sessions.add(session)


def _keep_all() -> None:
    import ctypes  # late: few processes fork

    for session in list(_sessions):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_keep_all)
