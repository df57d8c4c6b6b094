"""Manifests of deploy/kubernetes that say what deploy/monitoring says, in the words of Prometheus's operator."""
