"""A Kubernetes cluster behind the interfaces: KubeJobs, custom resources, their watches, and the Lease."""
