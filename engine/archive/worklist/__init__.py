"""What is planned and what was done: scheduled and performed procedure steps (PS3.4 annexes F and K), kept beside the index.

`worklist.Worklist` → `keys` (how a step is found) → `search` (the walk and the comparison)
`performing`: N-CREATE and N-SET in one transaction with the steps that they are for; `progress`: which images are here
`records`: what goes in and out; `environment`: an LMDB environment of its own, which no reindex touches
"""
