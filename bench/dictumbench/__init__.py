"""Measures Dictum beside faster-whisper: the same recordings, the same weights, the same two
threads, in one run. `python -m dictumbench` is the driver; start reading at __main__.py.

corpus    recordings and their texts, from Debian's Asterisk prompts and the models folder's readings
peer      runs faster-whisper in a process of its own (so that peak memory is its own)
product   runs `dictum transcribe` and `dictum serve`
accuracy  word error rates and the paired bootstrap
words     word times
report    the tables
"""
