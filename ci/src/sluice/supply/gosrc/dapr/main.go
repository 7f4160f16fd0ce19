// Command daprd is Dapr's sidecar with the components that k8s-fixtures/dapr uses: Kafka's pub/sub.
//
// daprd registers its components when it is compiled; all the stable ones bring the clients of every cloud and of forty
// systems that no cluster of ours has. Its own image has them: the chart's `dapr.mode: annotations` uses that one.
package main

import (
	"github.com/dapr/components-contrib/pubsub/kafka"
	"github.com/dapr/dapr/cmd/daprd/app"
	pubsub "github.com/dapr/dapr/pkg/components/pubsub"
)

func main() {
	pubsub.DefaultRegistry.RegisterComponent(kafka.NewKafka, "kafka")
	app.Run()
}
