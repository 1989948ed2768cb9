"""How well rubrics rank: branching points of a world, generators as arms, and their agreement with gains.

`points` collects branching points, `arms` names the generators, `rubrics` has them write and keeps what
came of it, `figures` measures. Nothing here runs an agent; `coreact.bench.experiment` does.
"""
