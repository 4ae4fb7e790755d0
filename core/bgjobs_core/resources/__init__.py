"""The custom resources of bgjobs.dev as models, and the CustomResourceDefinitions that are made of them."""
