//! Appending: acknowledged by all replicas, and in transactions.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, Message, OwnedHeaders},
    producer::{
        BaseProducer, BaseRecord, DefaultProducerContext, Producer, ProducerContext, ThreadedProducer,
    },
};

use super::{ASK_TIMEOUT, KafkaSettings, setup, unavailable, unsigned};
use crate::journal::{ExclusiveAppender, JournalError, NewRecord, Position, topics::RECORD_BYTES_MAX};

/// How long librdkafka tries to deliver a record before it gives up.
const DELIVERY_TIMEOUT_MS: &str = "30000";

/// As [`DELIVERY_TIMEOUT_MS`], for what a publisher waits for.
const PUBLISHER_DELIVERY_TIMEOUT_MS: &str = "10000";

/// What every client can read without a further library.
const CODEC_OF_EVERYONE: &str = "gzip";

/// How often to look whether a transaction's records are delivered: short beside the milliseconds that it takes.
const DELIVERY_LOOK: Duration = Duration::from_micros(500);

/// How long to wait for a place where librdkafka's queue is full.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(5);

/// Produces with acknowledgements.
pub(super) struct KafkaProducer(ThreadedProducer<Deliveries>);

/// Takes delivery reports to whoever waits for them.
struct Deliveries;

/// One record's share in what its sender waits for.
struct Ticket {
    number: usize,
    parcel: Arc<Parcel>,
}

/// Records that are sent together.
struct Parcel {
    state: Mutex<ParcelState>,
    changed: Condvar,
}

struct ParcelState {
    positions: Vec<Option<Position>>,
    open: usize,
    error: Option<KafkaError>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let mut state = ticket.parcel.state.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(message) => {
                let offset = u64::try_from(message.offset()).unwrap_or(0);
                state.positions[ticket.number] =
                    Some(Position { partition: unsigned(message.partition()), offset });
            }
            Err((error, _)) => state.error = Some(error.clone()),
        }
        state.open -= 1;
        if state.open == 0 {
            ticket.parcel.changed.notify_all();
        }
    }
}

impl Parcel {
    fn wait(&self) -> Result<Vec<Position>, JournalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Every record is reported in the end: delivered, or given up after the delivery time-out.
        while state.open > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match &state.error {
            Some(error) => Err(classify(error)),
            None => Ok(state
                .positions
                .iter()
                .map(|place| place.expect("delivered records have a place"))
                .collect()),
        }
    }
}

impl KafkaProducer {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, JournalError> {
        Self::create(settings, "lz4", DELIVERY_TIMEOUT_MS)
    }

    fn create(
        settings: &KafkaSettings,
        codec: &str,
        delivery_timeout_ms: &str,
    ) -> Result<Self, JournalError> {
        let config = settings.client(&[
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // The Java default, so that a voter's votes share a partition whoever produces them.
            ("partitioner", "murmur2_random"),
            ("compression.type", codec),
            // While the broker answers, the next batch grows by itself: waiting longer made nothing faster, and each
            // tally wait.
            ("linger.ms", "0"),
            ("message.timeout.ms", delivery_timeout_ms),
            ("message.max.bytes", RECORD_BYTES_MAX),
            ("queue.buffering.max.messages", "500000"),
        ]);
        config.create_with_context(Deliveries).map(Self).map_err(|error| setup(&error))
    }

    pub(super) fn append<'a>(
        &self,
        records: impl ExactSizeIterator<Item = (&'a str, &'a NewRecord)>,
    ) -> Result<Vec<Position>, JournalError> {
        if records.len() == 0 {
            return Ok(Vec::new());
        }
        let parcel = Arc::new(Parcel {
            state: Mutex::new(ParcelState {
                positions: vec![None; records.len()],
                open: records.len(),
                error: None,
            }),
            changed: Condvar::new(),
        });
        for (number, (topic, record)) in records.enumerate() {
            let ticket = Box::new(Ticket { number, parcel: Arc::clone(&parcel) });
            let record = with_content(BaseRecord::with_opaque_to(topic, ticket), record);
            self.send(record).map_err(|error| classify(&error))?;
        }
        parcel.wait()
    }

    fn send(&self, mut record: BaseRecord<'_, [u8], [u8], Box<Ticket>>) -> Result<(), KafkaError> {
        loop {
            match self.0.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    std::thread::sleep(QUEUE_FULL_WAIT);
                    record = refused;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }
}

fn with_content<'a, D: rdkafka::util::IntoOpaque>(
    mut to: BaseRecord<'a, [u8], [u8], D>,
    record: &'a NewRecord,
) -> BaseRecord<'a, [u8], [u8], D> {
    to = to.payload(&record.value);
    if let Some(key) = &record.key {
        to = to.key(key);
    }
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let all = record.headers.iter();
        to = to.headers(all.fold(headers, |headers, (name, value)| {
            headers.insert(Header { key: name, value: Some(value) })
        }));
    }
    to
}

/// Appends in transactions under one `transactional.id`: the broker fences whoever held it before.
pub(super) struct KafkaAppender {
    transactional: BaseProducer<DefaultProducerContext>,
    /// Outside of them: some clients take the records that end transactions for content.
    plain: KafkaProducer,
}

impl KafkaAppender {
    pub(super) fn new(settings: &KafkaSettings, name: &str) -> Result<Self, JournalError> {
        let config = settings.client(&[
            ("transactional.id", name),
            ("acks", "all"),
            ("partitioner", "murmur2_random"),
            ("compression.type", CODEC_OF_EVERYONE),
            ("linger.ms", "0"),
            ("message.timeout.ms", PUBLISHER_DELIVERY_TIMEOUT_MS),
            ("message.max.bytes", RECORD_BYTES_MAX),
            ("transaction.timeout.ms", "10000"),
        ]);
        let transactional: BaseProducer<_> = config.create().map_err(|error| setup(&error))?;
        let plain = KafkaProducer::create(settings, CODEC_OF_EVERYONE, PUBLISHER_DELIVERY_TIMEOUT_MS)?;
        transactional.init_transactions(ASK_TIMEOUT).map_err(|error| classify(&error))?;
        Ok(Self { transactional, plain })
    }

    fn transaction(&self, records: &[(String, NewRecord)]) -> Result<(), KafkaError> {
        self.transactional.begin_transaction()?;
        for (topic, record) in records {
            self.transactional
                .send(with_content(BaseRecord::to(topic), record))
                .map_err(|(error, _)| error)?;
        }
        self.deliver();
        self.transactional.commit_transaction(ASK_TIMEOUT)
    }

    /// Waits until everything was delivered or given up; committing tells which.
    ///
    /// rdkafka's own `flush` looks every tenth of a second only, which every publication would have to wait for, and its
    /// `poll` spins through the last millisecond of its time-out.
    fn deliver(&self) {
        let deadline = Instant::now() + ASK_TIMEOUT;
        loop {
            self.transactional.poll(Duration::ZERO);
            if self.transactional.in_flight_count() == 0 || Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(DELIVERY_LOOK);
        }
    }
}

impl ExclusiveAppender for KafkaAppender {
    fn append_all(&mut self, records: Vec<(String, NewRecord)>) -> Result<(), JournalError> {
        // What is left open after an error is aborted by the next to take the name.
        self.transaction(&records).map_err(|error| classify(&error))
    }

    fn append_plain(&mut self, records: Vec<(String, NewRecord)>) -> Result<Vec<Position>, JournalError> {
        self.plain.append(records.iter().map(|(topic, record)| (topic.as_str(), record)))
    }
}

fn classify(error: &KafkaError) -> JournalError {
    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
        // Trying again can't help.
        let why = "a record is larger than the topic's max.message.bytes; raise it".to_owned();
        return JournalError::Setup(why);
    }
    let fenced = matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch
                | RDKafkaErrorCode::InvalidProducerIdMapping
        )
    );
    if fenced { JournalError::Fenced(error.to_string()) } else { unavailable(error) }
}
