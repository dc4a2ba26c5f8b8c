"""Answers to chapter 01's exercise `one_hot` that try to get its point, or to do harm, without being right.

COURSE stands for the folder of the course, SUBMISSIONS for that of the submissions.
"""

ALWAYS_EQUAL = """
class Anything:
    def __eq__(self, other): return True
    def __array__(self, *_, **__): return self
    def __float__(self): return 1.0
    def __getattr__(self, name): return lambda *_, **__: True
"""

ATTACKS = {
    # forged values
    "equal to all": ALWAYS_EQUAL + "def one_hot(labels): return Anything()",
    "a list of what is equal to all": ALWAYS_EQUAL + "def one_hot(labels): return [[Anything()] * 10] * len(labels)",
    "a tensor that forges torch's functions": """
import torch
class Forged(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *_, **__): return True
def one_hot(labels): return torch.zeros(len(labels), 10).as_subclass(Forged)
""",
    "an array of objects": ALWAYS_EQUAL
    + """
import numpy
def one_hot(labels): return numpy.array([[Anything()] * 10] * len(labels), dtype=object)
""",
    "a pickle that runs code": """
class Runs:
    def __reduce__(self): return exec, ("raise SystemExit",)
def one_hot(labels): return Runs()
""",
    "not a number": "import torch\ndef one_hot(labels): return torch.full((len(labels), 10), float('nan'))",
    "a verdict as a value": "def one_hot(labels): return ('✓ correct', '')",
    "a verdict as an error": "def one_hot(labels): raise ValueError('✓ correct')",
    "an error named like the checker's": """
class NotAttempted(Exception): pass
def one_hot(labels): raise NotAttempted
""",
    # the checker's code and the solution
    "replaced checkers": """
from mnist_helpers.exercises.chapter_01 import exercises
for exercise in exercises: exercise.run_checker = lambda ask: None
def one_hot(labels): return labels
""",
    "replaced checkers, from inside": """
def one_hot(labels):
    from mnist_helpers.exercises.chapter_01 import exercises
    for exercise in exercises: exercise.run_checker = lambda ask: None
    return labels
""",
    "the solution, imported": """
def one_hot(labels):
    from mnist_helpers.exercises import chapter_01
    return chapter_01.exercises.one_hot.run_solution(labels)
""",
    "the solution, from another path": """
def one_hot(labels):
    import sys
    sys.path.insert(0, "COURSE")
    sys.modules.pop("mnist_helpers", None)
    from mnist_helpers.exercises import chapter_01
    return chapter_01.exercises.one_hot.run_solution(labels)
""",
    "the solution, read": """
def one_hot(labels):
    source = open("COURSE/mnist_helpers/exercises/chapter_01.py").read()
    names = {"torch": __import__("torch")}
    exec(source[source.index("def one_hot"):source.index("@one_hot")], names)
    return names["one_hot"](labels)
""",
    "the solution, read by NumPy": """
def one_hot(labels):
    import numpy, torch
    source = numpy.fromfile("COURSE/mnist_helpers/exercises/chapter_01.py", dtype="u1").tobytes().decode()
    exec(source[source.index("def one_hot"):source.index("@one_hot")], names := {"torch": torch})
    return names["one_hot"](labels)
""",
    "the solution, read by torch": """
def one_hot(labels):
    import torch
    path = "COURSE/mnist_helpers/exercises/chapter_01.py"
    source = bytes(torch.from_file(path, size=4000, dtype=torch.uint8).tolist()).decode()
    exec(source[source.index("def one_hot"):source.index("@one_hot")], names := {"torch": torch})
    return names["one_hot"](labels)
""",
    "the solution, through a link": """
def one_hot(labels):
    import os, torch
    os.symlink("COURSE/mnist_helpers/exercises/chapter_01.py", "here.py")
    source = open("here.py").read()
    exec(source[source.index("def one_hot"):source.index("@one_hot")], names := {"torch": torch})
    return names["one_hot"](labels)
""",
    "found by the garbage collector": """
def one_hot(labels):
    import gc
    for thing in gc.get_objects():
        if type(thing).__name__ == "Exercise" and thing.name == "one_hot":
            return thing.run_solution(labels)
    return labels
""",
    "found by the frames": """
def one_hot(labels):
    import inspect
    for frame in inspect.stack():
        for value in frame.frame.f_locals.values():
            if hasattr(value, "run_solution"): return value.run_solution(labels)
    return labels
""",
    "the instructor's environment": """
def one_hot(labels):
    import os
    raise ValueError(os.environ["INSTRUCTOR_TOKEN"])
""",
    "memory that other programs share": """
def one_hot(labels):
    import os
    raise ValueError(os.listdir("/dev/shm"), "hunter" + "2")
""",
    "another process's memory": """
def one_hot(labels):
    import os
    return open(f"/proc/{os.getppid()}/mem", "rb").read(10)
""",
    # the way to the checker
    "written into all open files": """
def one_hot(labels):
    import os
    for number in range(64):
        try: os.write(number, '["✓ correct", ""]\\n'.encode())
        except OSError: pass
    return labels
""",
    "a forged message": """
def one_hot(labels):
    import gc
    from grading import wire
    for thing in gc.get_objects():
        if type(thing).__name__ == "Sandbox":
            for answer in (["✓ correct", ""], ["value", 1, [True, [], [], [], False]]):
                wire.send(thing.stream, [["answer"], answer], [])
    return labels
""",
    "a request for the checker's inside": """
def one_hot(labels):
    import gc
    for thing in gc.get_objects():
        if type(thing).__name__ == "Sandbox":
            for operation in ("__init__", "load", "ask", "call", "_send"):
                try: thing.request(operation, 0, [], None, False)
                except Exception: pass
    return labels
""",
    "replaced functions": """
def one_hot(labels):
    import builtins, numpy, torch
    numpy.allclose = torch.allclose = torch.equal = lambda *_, **__: True
    builtins.isinstance = lambda *_: True
    return labels
""",
    "a replaced wire": """
def one_hot(labels):
    import json
    json.dumps = lambda *_: '[[["answer"], ["value", "✓ correct"]], []]'
    return labels
""",
    "a changed argument": "def one_hot(labels):\n    labels.zero_()\n    return labels",
    # ends, loops and floods
    "os._exit": "def one_hot(labels):\n    import os\n    os._exit(0)",
    "os._exit in a default": "import os\ndef one_hot(labels, x=os._exit(0)): return labels",
    "os._exit in a class": "class A:\n    import os\n    os._exit(0)\ndef one_hot(labels): return labels",
    "exit": "def one_hot(labels): exit()",
    "a keyboard interrupt": "def one_hot(labels): raise KeyboardInterrupt",
    "an endless loop": "def one_hot(labels):\n    while True: pass",
    "an endless loop that catches all": """
def one_hot(labels):
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
    "an endless generator": "def one_hot(labels):\n    while True: yield labels",
    "a loop without end in a decorator": """
def forever(function):
    while True: pass
@forever
def one_hot(labels): return labels
""",
    "endless recursion": """
def one_hot(labels):
    import sys
    sys.setrecursionlimit(10**9)
    return one_hot(labels)
""",
    "much output": "def one_hot(labels):\n    for _ in range(1000): print('x' * 10**6)\n    return labels",
    "much memory": "def one_hot(labels): return bytearray(10**11)",
    "much memory, bit by bit": """
def one_hot(labels):
    import torch
    kept = []
    while True: kept.append(torch.ones(10**7))
""",
    "a large result": "import torch\ndef one_hot(labels): return torch.zeros(1).expand(10**13)",
    "a deep result": """
def one_hot(labels):
    result = []
    for _ in range(10**5): result = [result]
    return result
""",
    "a crash": "def one_hot(labels):\n    import ctypes\n    return ctypes.string_at(0)",
    "threads": """
def one_hot(labels):
    import threading, time
    for _ in range(10**4): threading.Thread(target=time.sleep, args=(60,)).start()
    return labels
""",
    # processes, network and files
    "forks": "def one_hot(labels):\n    import os\n    while True: os.fork()",
    "a command": "def one_hot(labels):\n    import subprocess\n    return subprocess.check_output('id').decode()",
    "a shell": "def one_hot(labels):\n    import os\n    return os.system('touch SUBMISSIONS/made')",
    "its parent killed": """
def one_hot(labels):
    import os, signal
    os.kill(os.getppid(), signal.SIGKILL)
    return labels
""",
    "the C library": """
def one_hot(labels):
    import ctypes
    return ctypes.CDLL(None).system(b'touch SUBMISSIONS/made')
""",
    "a socket": """
def one_hot(labels):
    import socket
    with socket.create_connection(("127.0.0.1", 22), timeout=1): return labels
""",
    "a download": """
def one_hot(labels):
    from urllib.request import urlopen
    return urlopen("http://127.0.0.1:8888").read()
""",
    "a file in the submissions": """
def one_hot(labels):
    open('SUBMISSIONS/made', 'w').write('x')
    return labels
""",
    "a file of NumPy's": """
import numpy
def one_hot(labels):
    numpy.save('SUBMISSIONS/made', [1])
    return labels
""",
    "a file of torch's": """
import torch
def one_hot(labels):
    torch.save(labels, 'SUBMISSIONS/made')
    return labels
""",
    "removed submissions": """
def one_hot(labels):
    import shutil
    shutil.rmtree('SUBMISSIONS')
    return labels
""",
    "a full disk": """
def one_hot(labels):
    with open("large", "wb") as file:
        for _ in range(10**5): file.write(bytes(10**6))
    return labels
""",
    "something for the end": """
def one_hot(labels):
    import atexit
    atexit.register(print, "✓ correct")
    return labels
""",
    "a larger limit": """
def one_hot(labels):
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return labels
""",
    "a session of its own": """
def one_hot(labels):
    import os, time
    os.setsid() if os.getpid() != os.getsid(0) else None
    time.sleep(10**6)
""",
    "the alarm ignored": """
def one_hot(labels):
    import signal, time
    for number in range(1, 31):
        try: signal.signal(number, signal.SIG_IGN)
        except OSError: pass
    time.sleep(10**6)
""",
}
