"""Evidence and verdict for people: tables for the terminal, one self-contained page for everybody else."""
