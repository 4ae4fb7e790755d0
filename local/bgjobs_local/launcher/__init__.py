"""KubeJobs and pods without Kubernetes: files and processes on this machine."""
