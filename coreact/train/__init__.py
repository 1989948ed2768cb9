"""From judged decisions to better rubrics: points, lessons, rewards, trainers, monitors; and the searcher.

`branch` collects, `consensus` labels, `teaching` and `rows` make what is learned, `rewards` rate rubrics, and
`recipes` and `fitting` train. Nothing is imported here: PyTorch takes seconds, and most need none of it.
"""
