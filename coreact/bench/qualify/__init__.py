"""How good is a judge: its verdicts against people's labels, and what sways it that should not.

`cases` is the shape of labelled data and `datasets` reads four public sets into it; `sampling` parts
what may be fitted on from what is measured on; `baselines` are judges that any judge must beat;
`variants` change a case in ways that must not change its verdicts; `run` asks a judge, resumably;
`metrics` and `probes` compute, from stored verdicts alone; `report` writes what came out.
"""
