"""Parts of `chaos.py`: a study to kill, how it is killed, and what is checked afterwards."""
