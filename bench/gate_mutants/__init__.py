"""Whether the gate is worth trusting: bad releases that it must not let through, and good ones that it must.

START HERE: bench.py is the loop, and faults.py says what a mutant is. in_services.py, in_telemetry.py and in_charts.py
hold them, harmless.py the changes that a gate has to let through. running.py runs the line; leavings.py makes that
nothing of one release is left for the next; judged.py reads a verdict; results.py keeps what came of each release, and
table.py writes docs/gate-mutants.md.
"""
