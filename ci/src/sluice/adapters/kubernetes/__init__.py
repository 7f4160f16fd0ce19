"""The Kubernetes API by REST: `connection` opens it; `service_proxy`, `workloads` and `rollout` use it."""
