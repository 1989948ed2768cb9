"""Learning from texts and verdicts of others, or of oneself: what to train on, and what it is worth.

`answers` and `ropd` distil a teacher through a rubric that its answers share with the student's; `own` is
self-distillation; `critic` and `contrast` train verifiers; `targeting` and `rounds` choose data. Nothing is
imported here, and torch nowhere: the few functions that need it are handed its tensors.
"""
