"""Exercises with automatic checks: `exercises.NAME.check(answer)`, `.hint()`, `.solution()`, `exercises.progress()`.

To add an exercise, write its solution and its checker in the chapter's module. The solution has the same name as the
student's function:

    @exercises.add("A nudge.", "Nearly the answer.")
    def double(number):
        return 2 * number

    @double.checker
    def check_double(ask):
        same(ask(3), 6, {9: "You squared the number."})

`ask` calls the student's function with copies of its arguments. A message with values is no f-string, so that it can be
translated: `raise NotYet("{count} images came back.", count=n)`, or `say(...)` for a part of a message.

Then add a prompt and a stub cell with the id `exercise-double` to the notebook, and three wrong and two right answers
to the chapter's table in tests/exercises.
"""
