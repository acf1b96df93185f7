"""How fast it is, measured beside others, on this machine: each module is a program that says what it found."""
