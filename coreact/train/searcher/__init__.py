"""The searcher: a small model that was taught to search the gazetteer, from demonstrations of its own.

It has its own loop and data and shares only the tokenizer and the model file with the training of rubric
generators. Nothing is imported here: PyTorch takes seconds.
"""
