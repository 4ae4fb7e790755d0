"""What can happen to a job on a cluster, played side by side: a job that waits costs nothing.

A scene is a function that takes jobs through it, and tells how many KubeJobs are to be made of each. What it asserts
while a job waits is the reason that people see.
"""
