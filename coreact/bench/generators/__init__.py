"""What a trained generator is worth on questions that it was not trained on: ranking first, agents second."""
