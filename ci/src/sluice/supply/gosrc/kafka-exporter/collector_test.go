package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
)

// cluster answers as brokers would.
type cluster struct {
	metadata     kadm.Metadata
	starts, ends kadm.ListedOffsets
	lags         kadm.DescribedGroupLags
	err          error
}

func (c cluster) Metadata(context.Context, ...string) (kadm.Metadata, error) { return c.metadata, nil }

func (c cluster) ListStartOffsets(context.Context, ...string) (kadm.ListedOffsets, error) {
	return c.starts, nil
}

func (c cluster) ListEndOffsets(context.Context, ...string) (kadm.ListedOffsets, error) {
	return c.ends, nil
}

func (c cluster) Lag(context.Context, ...string) (kadm.DescribedGroupLags, error) {
	return c.lags, c.err
}

func at(topic string, partition int32, offset int64, err error) kadm.ListedOffsets {
	return kadm.ListedOffsets{topic: {partition: {Topic: topic, Partition: partition, Offset: offset, Err: err}}}
}

func example() cluster {
	return cluster{
		metadata: kadm.Metadata{
			Brokers: kadm.BrokerDetails{{NodeID: 1}, {NodeID: 2}},
			Topics: kadm.TopicDetails{
				"tasks": {Topic: "tasks", Partitions: kadm.PartitionDetails{
					0: {Topic: "tasks", Partition: 0, Replicas: []int32{1, 2}, ISR: []int32{1}},
				}},
				"__consumer_offsets": {Topic: "__consumer_offsets", IsInternal: true, Partitions: kadm.PartitionDetails{0: {}}},
			},
		},
		starts: at("tasks", 0, 3, nil),
		ends:   at("tasks", 0, 12, nil),
		lags: kadm.DescribedGroupLags{
			"sync": {Group: "sync", Members: make([]kadm.DescribedGroupMember, 2), Lag: kadm.GroupLag{"tasks": {
				0: {Commit: kadm.Offset{At: 8}, Lag: 4},
				1: {Commit: kadm.Offset{At: -1}, Lag: 3},
				2: {Lag: -1, Err: errors.New("no leader")},
			}}},
			"audit": {Group: "audit"},
			"moved": {Group: "moved", DescribeErr: errors.New("not coordinator")},
		},
	}
}

const expected = `kafka_brokers [] 2
kafka_consumergroup_current_offset [consumergroup=sync partition=0 topic=tasks] 8
kafka_consumergroup_lag [consumergroup=sync partition=0 topic=tasks] 4
kafka_consumergroup_lag [consumergroup=sync partition=1 topic=tasks] 3
kafka_consumergroup_lag_sum [consumergroup=sync topic=tasks] 7
kafka_consumergroup_members [consumergroup=audit] 0
kafka_consumergroup_members [consumergroup=sync] 2
kafka_topic_partition_current_offset [partition=0 topic=tasks] 12
kafka_topic_partition_in_sync_replica [partition=0 topic=tasks] 1
kafka_topic_partition_oldest_offset [partition=0 topic=tasks] 3
kafka_topic_partition_replicas [partition=0 topic=tasks] 2
kafka_topic_partition_under_replicated_partition [partition=0 topic=tasks] 1
kafka_topic_partitions [topic=tasks] 1
`

// told returns what is served, a line for each series, in order.
func told(brokers cluster) ([]string, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{admin: brokers, timeout: time.Second})
	families, err := registry.Gather()
	lines := []string{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := []string{}
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			lines = append(lines, fmt.Sprintln(family.GetName(), labels, metric.GetGauge().GetValue()))
		}
	}
	return lines, err
}

func TestItTellsOfTopicsAndGroupsWhatIsKnown(t *testing.T) {
	lines, err := told(example())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines, ""); got != expected {
		t.Errorf("got\n%s\nexpected\n%s", got, expected)
	}
}

func TestAScrapeFailsWhereTheBrokersDoNotAnswer(t *testing.T) {
	brokers := example()
	brokers.err = errors.New("no broker answers")
	if _, err := told(brokers); err == nil || !strings.Contains(err.Error(), "no broker answers") {
		t.Errorf("got %v, expected the brokers' error", err)
	}
}

func TestAPartitionWithoutALeaderHasNoOffset(t *testing.T) {
	brokers := example()
	brokers.ends = at("tasks", 0, -1, errors.New("no leader"))
	lines, err := told(brokers)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines, ""); strings.Contains(got, "partition_current_offset") {
		t.Errorf("an offset is made up: %s", got)
	}
}

func TestAnEmptyClusterIsAskedForNoTopic(t *testing.T) {
	lines, err := told(cluster{metadata: kadm.Metadata{Brokers: kadm.BrokerDetails{{NodeID: 1}}}})
	if err != nil || len(lines) != 1 || lines[0] != "kafka_brokers [] 1\n" {
		t.Errorf("got %v and %v, expected one broker alone", lines, err)
	}
}
