"""The object that the Dagger function `cluster` returns."""

from typing import Annotated

import dagger
from dagger import Doc, dag, function, object_type

from sluice.adapters.dagger_engine import kind_cluster


@object_type
class Cluster:
    """A kind cluster that lives as long as the session: its API server as a service, and its credentials."""

    # Kept between calls, and no functions, as fields of dagger.field would be.
    source: dagger.Directory
    supply: str
    offline: dagger.Directory | None = None

    @function
    def service(self) -> dagger.Service:
        """Give the API server as a service: bind it to a container as `cluster`, or tunnel to it with `up`.

        Its one port is 6443, which answers once the node is ready.
        """
        return kind_cluster.cluster_service(dag, self.source, supply=self.supply, offline=self.offline)

    @function(cache="never")  # type: ignore[call-overload, untyped-decorator]
    async def kubeconfig(
        self,
        host: Annotated[
            str, Doc("What whoever uses it calls the service: its alias in a binding, localhost behind up")
        ] = kind_cluster.NAME,
    ) -> dagger.File:
        """Give the credentials of this session's cluster, which is started where it does not run yet.

        They are an administrator's, and of no use to another session's cluster.
        """
        found = kind_cluster.kubeconfig(dag, self.source, host=host, supply=self.supply, offline=self.offline)
        return await found.sync()
