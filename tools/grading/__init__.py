"""Grade submitted notebooks: `python tools/grade.py FOLDER`.

submissions   finds notebooks, and takes only imports and definitions from them; runs nothing
wire          numbers, texts and tensors as JSON and raw bytes: nothing that is read can run code
peers         two processes that call each other's functions and networks over a socket
sandbox       the process that runs a student's function: no network, limits, no way to the checkers
referee       the process that judges: it starts a pair of processes for each answer
likeness      near-identical answers, and answers that reach for Python's insides
report        the table, and a page for each student
"""
