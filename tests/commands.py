"""An experiment file of a user's own, and the command line in this process."""

from typer.testing import CliRunner, Result

from initbench.cli.app import app

MINE = """
name = "mine"
task = "xor"
[model]
name = "mlp"
widths = [4]
[optimizer]
learning_rate = 0.5
[training]
steps = 1500
solved_below = 0.05
[seeds]
init = 50
[grid]
"initializer" = ["zeros", "glorot_normal"]
[[claim]]
id = "random-works"
says = "Random starts find XOR."
where = { initializer = "glorot_normal" }
measure = "solved"
at_least = 0.5
[[claim]]
id = "random-beats-zero"
says = "Random starts end lower."
where = { initializer = "zeros" }
measure = "loss_final"
greater_than = { where = { initializer = "glorot_normal" } }
[[published]]
says = "Random starts that find XOR."
value = 0.75
source = "Somebody (1999)"
differs = "Other widths."
measure = "solved"
where = { initializer = "glorot_normal" }
[[figure]]
name = "time"
kind = "ecdf"
x = "steps_to_solve"
color = "initializer"
caption = "Time to solve."
[[figure]]
name = "curves"
kind = "curve"
y = "loss"
color = "initializer"
caption = "Loss."
[[figure]]
name = "share"
kind = "rate"
x = "initializer"
color = "initializer"
caption = "Share solved."
[[figure]]
name = "again"
kind = "restarts"
color = "initializer"
caption = "Restarts."
"""


def call(*arguments: object) -> Result:
    """Run `initbench` with these arguments in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
