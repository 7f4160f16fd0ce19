// Command prometheus-adapter serves what Prometheus knows of pods as custom.metrics.k8s.io, for autoscalers to go by.
//
// It puts the adapter's own packages together as far as helm/monitoring uses them, with the flags of the same names. The
// adapter's own command has the APIs of resource and of external metrics besides, and does not compile with the libraries
// of Kubernetes 1.34; sharing those with Kubernetes itself saves three minutes of compiling.
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/logs"
	"k8s.io/klog/v2"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	prometheus "sigs.k8s.io/prometheus-adapter/pkg/client"
	"sigs.k8s.io/prometheus-adapter/pkg/config"
	provider "sigs.k8s.io/prometheus-adapter/pkg/custom-provider"
	"sigs.k8s.io/prometheus-adapter/pkg/naming"
)

const name = "prometheus-adapter"

// untimed asks Prometheus without the time that is left for an answer: the adapter has it with the wrong sign, which
// Prometheus refuses. The context ends the request in time all the same.
type untimed struct{ prometheus.GenericAPIClient }

func (client untimed) Do(ctx context.Context, verb, endpoint string, query url.Values) (prometheus.APIResponse, error) {
	query.Del("timeout")
	return client.GenericAPIClient.Do(ctx, verb, endpoint, query)
}

func main() {
	logs.InitLogs()
	defer logs.FlushLogs()
	if err := serve(os.Args[1:]); err != nil {
		klog.ErrorS(err, "cannot serve")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}

func serve(words []string) error {
	adapter := &cmd.AdapterBase{Name: name, FlagSet: pflag.NewFlagSet(name, pflag.ContinueOnError)}
	flags := adapter.Flags()
	address := flags.String("prometheus-url", "", "where Prometheus answers")
	file := flags.String("config", "", "file with the rules by which series become metrics")
	relist := flags.Duration("metrics-relist-interval", 10*time.Minute, "how often Prometheus is asked which series there are")
	age := flags.Duration("metrics-max-age", 10*time.Minute, "how long ago a series may have been seen")
	if err := flags.Parse(words); err != nil {
		return err
	}

	prometheusURL, err := url.Parse(*address)
	if err != nil || prometheusURL.Host == "" {
		return fmt.Errorf("--prometheus-url is %q, expected an address such as http://prometheus:9090", *address)
	}
	rules, err := config.FromFile(*file)
	if err != nil {
		return err
	}
	mapper, err := adapter.RESTMapper()
	if err != nil {
		return err
	}
	client, err := adapter.DynamicClient()
	if err != nil {
		return err
	}
	namers, err := naming.NamersFromConfig(rules.Rules, mapper)
	if err != nil {
		return err
	}

	api := untimed{prometheus.NewGenericAPIClient(http.DefaultClient, prometheusURL, http.Header{})}
	metrics, lister := provider.NewPrometheusProvider(
		mapper, client, prometheus.NewClientForAPI(api, http.MethodGet), namers, *relist, *age,
	)
	ctx := server.SetupSignalContext()
	lister.RunUntil(ctx.Done())
	adapter.WithCustomMetrics(metrics)
	return adapter.Run(ctx)
}
