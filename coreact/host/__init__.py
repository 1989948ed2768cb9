"""Facts of LangChain and LangGraph that every adapter needs, each in one place. Nothing is decided here."""
