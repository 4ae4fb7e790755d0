"""Launching: what the operator costs for each KubeJob, beside a bare loop that POSTs the same manifests.

`python -m bench.launch` prints the figures. Kubernetes is played by `stand_in`, so that what is measured is the
operator and not the control plane.
"""
