package main

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
)

// admin is what is asked of the brokers; *kadm.Client answers it.
type admin interface {
	Metadata(ctx context.Context, topics ...string) (kadm.Metadata, error)
	ListStartOffsets(ctx context.Context, topics ...string) (kadm.ListedOffsets, error)
	ListEndOffsets(ctx context.Context, topics ...string) (kadm.ListedOffsets, error)
	Lag(ctx context.Context, groups ...string) (kadm.DescribedGroupLags, error)
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kafka_"+name, help, labels, nil)
}

var (
	brokers       = describe("brokers", "Brokers in the cluster.")
	partitions    = describe("topic_partitions", "Partitions of a topic.", "topic")
	currentOffset = describe("topic_partition_current_offset", "Where the next message is written.", "topic", "partition")
	oldestOffset  = describe("topic_partition_oldest_offset", "The oldest message that is kept.", "topic", "partition")
	replicas      = describe("topic_partition_replicas", "Replicas of a partition.", "topic", "partition")
	inSync        = describe("topic_partition_in_sync_replica", "Replicas that are in sync.", "topic", "partition")
	underRepl     = describe("topic_partition_under_replicated_partition", "1 where a replica is not in sync.", "topic", "partition")
	members       = describe("consumergroup_members", "Members of a consumer group.", "consumergroup")
	groupOffset   = describe("consumergroup_current_offset", "What a group has committed.", "consumergroup", "topic", "partition")
	groupLag      = describe("consumergroup_lag", "Messages that a group has not committed yet.", "consumergroup", "topic", "partition")
	groupLagSum   = describe("consumergroup_lag_sum", "The same over all partitions of a topic.", "consumergroup", "topic")
)

// collector asks the brokers at each scrape.
type collector struct {
	admin   admin
	timeout time.Duration
}

// Describe tells nothing: which series there are, the brokers decide.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends every metric, or an invalid one that carries the reason why there is none.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	for _, collect := range []func(context.Context, func(*prometheus.Desc, int64, ...string)) error{c.topics, c.groups} {
		if err := collect(ctx, gauge); err != nil {
			out <- prometheus.NewInvalidMetric(brokers, err)
			return
		}
	}
}

func (c *collector) topics(ctx context.Context, gauge func(*prometheus.Desc, int64, ...string)) error {
	metadata, err := c.admin.Metadata(ctx)
	if err != nil {
		return err
	}
	gauge(brokers, int64(len(metadata.Brokers)))
	metadata.Topics.FilterInternal()
	names := metadata.Topics.Names()
	if len(names) == 0 {
		return nil // asked for no topic, a broker tells of all
	}
	for _, topic := range metadata.Topics {
		gauge(partitions, int64(len(topic.Partitions)), topic.Topic)
		for _, one := range topic.Partitions {
			number := strconv.Itoa(int(one.Partition))
			gauge(replicas, int64(len(one.Replicas)), topic.Topic, number)
			gauge(inSync, int64(len(one.ISR)), topic.Topic, number)
			behind := int64(0)
			if len(one.ISR) < len(one.Replicas) {
				behind = 1
			}
			gauge(underRepl, behind, topic.Topic, number)
		}
	}
	starts, err := c.admin.ListStartOffsets(ctx, names...)
	if err != nil {
		return err
	}
	ends, err := c.admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return err
	}
	offsets(starts, oldestOffset, gauge)
	offsets(ends, currentOffset, gauge)
	return nil
}

// offsets leaves out the partitions that have no leader to tell of them.
func offsets(listed kadm.ListedOffsets, desc *prometheus.Desc, gauge func(*prometheus.Desc, int64, ...string)) {
	listed.Each(func(one kadm.ListedOffset) {
		if one.Err == nil && one.Partition >= 0 {
			gauge(desc, one.Offset, one.Topic, strconv.Itoa(int(one.Partition)))
		}
	})
}

func (c *collector) groups(ctx context.Context, gauge func(*prometheus.Desc, int64, ...string)) error {
	groups, err := c.admin.Lag(ctx)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if group.DescribeErr != nil {
			continue // its coordinator moves: the next scrape knows
		}
		gauge(members, int64(len(group.Members)), group.Group)
		for topic, lags := range group.Lag {
			sum, known := int64(0), false
			for partition, one := range lags {
				if one.Err != nil || one.Lag < 0 {
					continue
				}
				number := strconv.Itoa(int(partition))
				if one.Commit.At >= 0 {
					gauge(groupOffset, one.Commit.At, group.Group, topic, number)
				}
				gauge(groupLag, one.Lag, group.Group, topic, number)
				sum, known = sum+one.Lag, true
			}
			if known {
				gauge(groupLagSum, sum, group.Group, topic)
			}
		}
	}
	return nil
}
