"""KubeJobs and pods without Kubernetes, as files and processes of this machine."""
