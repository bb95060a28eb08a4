"""Jobs are started from a process that has imported the libraries: a job pays for its work.

`server` is that process, one for a run on this machine; `job` is what a rule calls, and `start`
begins it all. A job is a copy of the server, made by `fork`, and runs its script as `python SCRIPT`
does. Where no server can do that (another machine, another environment, another number of threads),
the script is run by a Python of its own.
"""
