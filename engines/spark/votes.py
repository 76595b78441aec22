"""Counts votes with Spark Structured Streaming: the second engine.

The same aggregations as the pipelines that Tallyboard replaces: the JSON of `votes_topic` by a schema, casts, a
watermark of one minute on `voting_time`, then two queries in output mode `update`, each into a Kafka topic with a
checkpoint of its own:

    aggregated_votes_per_candidate   votes by candidate, a row whenever a candidate's number changed
    aggregated_turnout_by_location   votes by address.state, likewise

Keys and rows are those of CONTRACT.md, without the fields that only Tallyboard's own counter knows (`contest_id`,
`version`, `registered_voters`, `turnout`). As in those pipelines nothing is checked or de-duplicated: a vote that
comes twice counts twice, one without a candidate or a place counts for `null`, and what isn't JSON counts as a vote
without anything. A value is absolute, so the newest row of a key is right.

Run it with Spark's Kafka connector on the class path (engines/spark/pom.xml):

    spark-submit --master 'local[*]' --jars CONNECTOR.jar,… votes.py --kafka HOST:PORT --checkpoints DIR

With `--progress` every finished micro-batch is told on the standard output, as one line of the JSON of Spark's
`StreamingQueryProgress`. With `--warm-up` both queries first count another topic, to nowhere: benchmarks use it, so
that the Java machine has compiled what it needs before anything is measured.
"""

import argparse
import signal
import sys
import threading

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery, StreamingQueryListener
from pyspark.sql.types import IntegerType, LongType, StringType, StructField, StructType

ALLOWED_LATENESS = "1 minute"

ADDRESS = StructType(
    [StructField(name, StringType()) for name in ("street", "city", "state", "country", "postcode")]
)

# The seeds' record, field by field.
VOTE = StructType(
    [
        StructField("voter_id", StringType()),
        StructField("candidate_id", StringType()),
        StructField("voting_time", StringType()),
        StructField("voter_name", StringType()),
        StructField("party_affiliation", StringType()),
        StructField("biography", StringType()),
        StructField("campaign_platform", StringType()),
        StructField("photo_url", StringType()),
        StructField("candidate_name", StringType()),
        StructField("date_of_birth", StringType()),
        StructField("gender", StringType()),
        StructField("nationality", StringType()),
        StructField("registration_number", StringType()),
        StructField("address", ADDRESS),
        StructField("email", StringType()),
        StructField("phone_number", StringType()),
        StructField("cell_number", StringType()),
        StructField("picture", StringType()),
        StructField("registered_age", IntegerType()),
        StructField("vote", StringType()),
    ]
)


def votes(spark: SparkSession, kafka: str, topic: str) -> DataFrame:
    """The votes of a topic from its first offset on, with their types, and the watermark on their time."""
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", kafka)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        # Records that are gone would be an undercount.
        .option("failOnDataLoss", "true")
        .load()
    )
    return (
        records.select(F.from_json(F.col("value").cast("string"), VOTE).alias("ballot"))
        .select("ballot.*")
        .withColumn("voting_time", F.col("voting_time").try_cast("timestamp"))
        # A vote counts once where it doesn't say.
        .withColumn("vote", F.coalesce(F.col("vote").try_cast(LongType()), F.lit(1)))
        .withWatermark("voting_time", ALLOWED_LATENESS)
    )


def votes_per_candidate(ballots: DataFrame) -> DataFrame:
    """Votes by candidate, as rows of `aggregated_votes_per_candidate`."""
    return ballots.groupBy("candidate_id", "candidate_name", "party_affiliation", "photo_url").agg(
        F.sum("vote").alias("total_votes")
    )


def turnout_by_location(ballots: DataFrame) -> DataFrame:
    """Votes by place, as rows of `aggregated_turnout_by_location`."""
    return ballots.groupBy(F.col("address.state").alias("state")).count()


def to_kafka(rows: DataFrame, key: str, kafka: str, topic: str, checkpoints: str) -> StreamingQuery:
    """Writes every row that changed to a topic, under the value of its column `key`."""
    # Absent figures are null, never left out.
    record = F.to_json(F.struct("*"), {"ignoreNullFields": "false"})
    return (
        rows.select(F.col(key).alias("key"), record.alias("value"))
        .writeStream.queryName(topic)
        .format("kafka")
        .option("kafka.bootstrap.servers", kafka)
        .option("topic", topic)
        .option("checkpointLocation", f"{checkpoints}/{topic}")
        .outputMode("update")
        .start()
    )


def warm_up(spark: SparkSession, kafka: str, topic: str) -> None:
    """Counts a whole topic by both queries and writes the rows nowhere."""
    for aggregate in (votes_per_candidate, turnout_by_location):
        rows = aggregate(votes(spark, kafka, topic))
        query = rows.writeStream.format("noop").outputMode("update").trigger(availableNow=True).start()
        query.awaitTermination()


class Progress(StreamingQueryListener):
    """Tells every finished micro-batch of the named queries on the standard output."""

    def onQueryStarted(self, event) -> None:
        pass

    def onQueryProgress(self, event) -> None:
        if event.progress.name:
            print(event.progress.json.replace("\n", " "), flush=True)

    def onQueryIdle(self, event) -> None:
        pass

    def onQueryTerminated(self, event) -> None:
        pass


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Counts votes with Spark Structured Streaming.")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT,…", help="Kafka's bootstrap servers")
    parser.add_argument("--topic-prefix", default="", help="stands before the name of every topic")
    parser.add_argument("--checkpoints", required=True, metavar="DIR", help="where the queries keep their state")
    parser.add_argument("--warm-up", metavar="TOPIC", help="count this topic first, to nowhere")
    parser.add_argument("--progress", action="store_true", help="tell every micro-batch on the standard output")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    spark = SparkSession.builder.appName("tallyboard-votes").getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    # One task a core: more partitions than that only cost time in each micro-batch.
    spark.conf.set("spark.sql.shuffle.partitions", str(spark.sparkContext.defaultParallelism))
    # `2026-11-03 08:15:00` is UTC wherever this runs.
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    if args.warm_up:
        warm_up(spark, args.kafka, args.warm_up)
    if args.progress:
        spark.streams.addListener(Progress())

    ballots = votes(spark, args.kafka, f"{args.topic_prefix}votes_topic")
    out = (args.kafka, f"{args.topic_prefix}aggregated_")
    queries = [
        to_kafka(votes_per_candidate(ballots), "candidate_id", out[0], out[1] + "votes_per_candidate", args.checkpoints),
        to_kafka(turnout_by_location(ballots), "state", out[0], out[1] + "turnout_by_location", args.checkpoints),
    ]

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Half of the aggregates would look like a quiet night: the first query that ends takes the other along.
    while not stop.wait(0.5) and all(query.isActive for query in queries):
        pass
    failures = [failure for failure in (query.exception() for query in queries) if failure]
    for failure in failures:
        print(f"a query ended: {failure}", file=sys.stderr)
    for query in queries:
        query.stop()
    spark.stop()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
