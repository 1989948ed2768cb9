"""What a generated rubric is rewarded for while its generator is trained.

`reward` has the reward itself; `trl` and `verl` hand it to trainers. Nothing is imported here: the parts that
need numpy or a trainer are imported by whoever uses them.
"""
