"""Serves a trained rubric generator to other processes and machines, whatever runs its weights.

vLLM, llama.cpp and transformers stand behind one OpenAI-compatible interface: `/v1/models`,
`/v1/chat/completions` and `/health`; vLLM and transformers also change LoRA adapters while they run. The
first two are servers of others, started as child processes; for transformers there is a small application.
Clients are `coreact run --generator URL` and whatever speaks that interface.
"""
