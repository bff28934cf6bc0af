"""An experiment file with every section, for tests."""

TEXT = """
name = "xor-width"
question = "Does width rescue a network that has to find XOR?"
[task]
name = "xor"
[model]
name = "mlp"
widths = [4]
activation = "tanh"
[initializer]
name = "glorot_normal"
gain = 1.0
bias = "zeros"
zero_layers = []
zero_fraction = 0.0
[optimizer]
name = "sgd"
learning_rate = 0.5
[training]
steps = 5000
batch_size = 0
solved_below = 0.05
stop = "solved"
dtype = "float32"
[seeds]
init = 1000
data = 1
[grid]
"model.widths" = [[2], [3], [4], [8]]
"initializer" = [{ name = "zeros" }, { name = "glorot_normal" }]
[[claim]]
id = "xor-width-8"
says = "Eight hidden units suffice."
where = { "model.widths" = [8], "initializer" = "glorot_normal" }
measure = "solved"
at_least = 0.99
alpha = 0.05
"""
