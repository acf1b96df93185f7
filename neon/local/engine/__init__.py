"""The rules of the plane: projects, branches, snapshots, restores, and the operations they consist of.

A mutating call takes the project's lock or is refused (423), as on Neon, where a project's operations run one at a
time. An operation's status follows from its row and the clock. A restore whose time has come is finished by whoever
looks first, so that until then a connection still reaches the old data.
"""
