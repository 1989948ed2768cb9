"""Training of small models, on this machine and from data that the project makes itself.

Nothing is imported here: PyTorch takes seconds, and who only wants the split of the questions need not wait.
"""
