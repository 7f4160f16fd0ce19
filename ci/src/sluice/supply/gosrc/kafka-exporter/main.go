// Command kafka-exporter tells Prometheus what a Kafka broker does not tell by itself: how far each consumer group is behind, and
// how many members it has.
//
// It serves the most used metrics of github.com/danielqsj/kafka_exporter, under the same names, labels and flags, so that
// rules and dashboards hold for either: that module is on no Go proxy in reach. Each scrape asks the brokers anew.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	scrapeTimeout = 8 * time.Second // Prometheus gives up after 10
	stopTimeout   = 5 * time.Second
)

// servers collects a flag that is given once for each server.
type servers []string

func (s *servers) String() string { return strings.Join(*s, ",") }

func (s *servers) Set(value string) error {
	*s = append(*s, value)
	return nil
}

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(logger); err != nil {
		logger.Error("kafka-exporter ends", "error", err.Error())
		os.Exit(1)
	}
}

func run(logger *slog.Logger) error {
	var seeds servers
	flag.Var(&seeds, "kafka.server", "address of a broker, host:port; may be given again")
	address := flag.String("web.listen-address", ":9308", "address to serve metrics at")
	path := flag.String("web.telemetry-path", "/metrics", "path of the metrics")
	flag.Parse()
	if len(seeds) == 0 {
		seeds = servers{"kafka:9092"}
	}

	client, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ClientID("kafka_exporter"))
	if err != nil {
		return err
	}
	defer client.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{admin: kadm.NewClient(client), timeout: scrapeTimeout})

	mux := http.NewServeMux()
	// A scrape that learns half of it fails: half a sum is a wrong number.
	mux.Handle(*path, promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError), ErrorHandling: promhttp.HTTPErrorOnError,
	}))
	mux.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) { _, _ = answer.Write([]byte("ok")) })
	server := &http.Server{Addr: *address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go func() {
		<-stopped.Done()
		ending, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		_ = server.Shutdown(ending)
	}()
	logger.Info("kafka-exporter serves", "address", *address, "servers", seeds.String())
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
