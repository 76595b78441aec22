//! Creating topics, and checking those that are there.

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{ASK_TIMEOUT, KafkaSettings, setup, signed, unavailable};
use crate::journal::{Cleanup, JournalError, Partitions, TopicSpec};

pub(super) fn ensure(settings: &KafkaSettings, specs: &[TopicSpec]) -> Result<Vec<String>, JournalError> {
    let admin: AdminClient<DefaultClientContext> =
        settings.client(&[]).create().map_err(|error| setup(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| JournalError::Setup(error.to_string()))?;
    runtime.block_on(async {
        create(&admin, specs).await?;
        check(&admin, specs).await
    })
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ASK_TIMEOUT)).operation_timeout(Some(ASK_TIMEOUT))
}

async fn create(admin: &AdminClient<DefaultClientContext>, specs: &[TopicSpec]) -> Result<(), JournalError> {
    let topics: Vec<_> = specs
        .iter()
        .map(|spec| {
            // The broker's default replication.
            let topic =
                NewTopic::new(&spec.name, signed(spec.partitions.when_new()), TopicReplication::Fixed(-1));
            let topic = match spec.cleanup {
                Cleanup::Keep => topic.set("cleanup.policy", "delete").set("retention.ms", "-1"),
                Cleanup::Compact => topic.set("cleanup.policy", "compact"),
            };
            spec.settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        })
        .collect();
    let outcomes = admin.create_topics(&topics, &options()).await.map_err(|error| unavailable(&error))?;
    for outcome in outcomes {
        match outcome {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((
                topic,
                RDKafkaErrorCode::InvalidReplicationFactor
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NotController
                | RDKafkaErrorCode::OperationTimedOut,
            )) => return Err(JournalError::Unavailable(format!("the topic {topic} can't be created yet"))),
            Err((topic, code)) => {
                let error = KafkaError::AdminOp(code);
                return Err(JournalError::Unfit { topic, why: format!("it can't be created: {error}") });
            }
        }
    }
    Ok(())
}

async fn check(
    admin: &AdminClient<DefaultClientContext>,
    specs: &[TopicSpec],
) -> Result<Vec<String>, JournalError> {
    let resources: Vec<_> = specs.iter().map(|spec| ResourceSpecifier::Topic(&spec.name)).collect();
    let described =
        admin.describe_configs(&resources, &options()).await.map_err(|error| unavailable(&error))?;
    let mut warnings = Vec::new();
    for (spec, resource) in specs.iter().zip(described) {
        let resource = resource.map_err(|code| unavailable(&KafkaError::AdminOp(code)))?;
        warnings.extend(fitness(spec, &resource)?);
        check_partitions(admin, spec)?;
    }
    Ok(warnings)
}

fn check_partitions(admin: &AdminClient<DefaultClientContext>, spec: &TopicSpec) -> Result<(), JournalError> {
    let metadata =
        admin.inner().fetch_metadata(Some(&spec.name), ASK_TIMEOUT).map_err(|error| unavailable(&error))?;
    let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    if count == 0 {
        return Err(JournalError::Unavailable(format!("the brokers don't know the topic {} yet", spec.name)));
    }
    if spec.partitions == Partitions::One && count != 1 {
        let why =
            format!("it has {count} partitions and must have one, because its records are in one order");
        return Err(JournalError::Unfit { topic: spec.name.clone(), why });
    }
    Ok(())
}

/// A sentence where the topic is odd, an error where it can't serve.
fn fitness(spec: &TopicSpec, resource: &ConfigResource) -> Result<Option<String>, JournalError> {
    let setting = |name| resource.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or_default();
    if setting("cleanup.policy").is_empty() {
        // A topic that was just made; its settings take a moment to be known.
        return Err(JournalError::Unavailable(format!("the brokers don't know the topic {} yet", spec.name)));
    }
    let compacted = setting("cleanup.policy").contains("compact");
    match spec.cleanup {
        Cleanup::Keep if compacted => Err(JournalError::Unfit {
            topic: spec.name.clone(),
            why: "it is compacted, so records that must be kept are removed; give it cleanup.policy=delete"
                .into(),
        }),
        Cleanup::Keep if setting("retention.ms") != "-1" || setting("retention.bytes") != "-1" => {
            Ok(Some(format!(
                "the topic {} forgets old records (retention.ms={}, retention.bytes={}); counted votes that are gone \
             can't be counted again",
                spec.name,
                setting("retention.ms"),
                setting("retention.bytes")
            )))
        }
        Cleanup::Compact if !compacted => Ok(Some(format!(
            "the topic {} isn't compacted and grows without bound; give it cleanup.policy=compact",
            spec.name
        ))),
        Cleanup::Keep | Cleanup::Compact => Ok(None),
    }
}
