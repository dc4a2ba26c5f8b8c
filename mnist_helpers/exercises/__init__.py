"""Exercises that answer back: `exercises.NAME.check(answer)`, `.hint()`, `.solution()`, and `exercises.progress()`.

To add one, write in the chapter's module its solution, under the name that the student's function has, and its checker:

    @exercises.add("A nudge.", "Nearly the answer.")
    def double(number):
        return 2 * number

    @double.checker
    def check_double(ask):
        same(ask(3), 6, {9: "You squared the number."})

`ask` calls the student's function with copies of what you give it. Then put a prompt and a stub cell, with the id
`exercise-double`, into the notebook, and three wrong and two right answers into the chapter's table in tests/exercises.
"""
