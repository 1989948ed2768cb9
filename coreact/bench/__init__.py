"""Does guidance help, and does it ever harm: suites with control arms, paired by question."""
