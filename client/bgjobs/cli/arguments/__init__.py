"""What users type after the name of the command: parameters, ids of jobs, shared options, and their completion."""
