//! What librdkafka has fetched, taken many messages at a time: the one place in Tallyboard with `unsafe`.
//!
//! rdkafka hands messages out one by one: an event, a reference count and two looks at the clock for each, which cost
//! 18 % of the time of a counting thread. librdkafka's own batch call (`rd_kafka_consume_batch_queue`) costs 4 %:
//! docs/benchmarks.md, "Reading by the batch". rdkafka has no safe form of it.
//!
//! The messages of all partitions go to a queue of our own. What else there is (the log, the state of connections)
//! stays on the consumer's queue and comes by way of rdkafka.

#![expect(
    unsafe_code,
    reason = "measured: docs/benchmarks.md, `Reading by the batch`; each use is argued for"
)]

use std::{
    ffi::{CStr, CString},
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull,
    slice,
    time::Duration,
};

use rdkafka::{
    bindings as librdkafka,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::RDKafkaErrorCode,
};

/// So many messages are taken by one call: enough to make the call cheap, few enough to stay in the cache.
const CALL_MAX: usize = 256;

/// A consumer and the queue with what it has fetched.
pub(super) struct FetchedQueue<C: ConsumerContext + 'static> {
    /// Holds a share in the client, so it is released before the consumer is: see `Drop`.
    queue: NonNull<librdkafka::rd_kafka_queue_t>,
    consumer: BaseConsumer<C>,
}

// SAFETY: librdkafka's queues may be used by any thread; `BaseConsumer` is `Send` itself.
unsafe impl<C: ConsumerContext + 'static> Send for FetchedQueue<C> {}

/// A message, for as long as it isn't given back.
pub(super) struct Fetched<'a> {
    message: NonNull<librdkafka::rd_kafka_message_t>,
    lifetime: PhantomData<&'a librdkafka::rd_kafka_message_t>,
}

impl<C: ConsumerContext + 'static> FetchedQueue<C> {
    /// Leads the partitions' messages to a queue of their own. Call it before anything is fetched.
    pub(super) fn new(consumer: BaseConsumer<C>, topic: &str, partitions: impl Iterator<Item = i32>) -> Self {
        let client = consumer.client().native_ptr();
        let topic = CString::new(topic).expect("the name of a topic that was made has no zero byte");
        // SAFETY: the client lives as long as `consumer`, which we own. A new queue isn't null; those of partitions
        // aren't either, as this is a consumer and librdkafka makes partitions that it doesn't know. Each reference to
        // a queue that we are given here is given back once: those of partitions below, our own in `Drop`.
        let queue = unsafe {
            let queue = librdkafka::rd_kafka_queue_new(client);
            for partition in partitions {
                let fetched = librdkafka::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition);
                librdkafka::rd_kafka_queue_forward(fetched, queue);
                librdkafka::rd_kafka_queue_destroy(fetched);
            }
            queue
        };
        Self { queue: NonNull::new(queue).expect("librdkafka makes a queue or aborts"), consumer }
    }

    /// Hands out what is there, but not more than one call brings; waits up to `wait`, to the next millisecond, where
    /// nothing is. Returns how many came.
    pub(super) fn take(
        &self,
        wait: Duration,
        mut each: impl FnMut(Result<Fetched<'_>, (RDKafkaErrorCode, Fetched<'_>)>),
    ) -> usize {
        let mut messages = [std::ptr::null_mut(); CALL_MAX];
        // Rounded up: the last part of a millisecond would be spent asking again and again.
        let wait_ms = i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        // A call waits until it has all that it may bring: so wait for one, and then take what is there.
        let mut count = self.call(wait_ms, &mut messages[..1]);
        if count > 0 {
            count += self.call(0, &mut messages[1..]);
        }
        for message in &messages[..count] {
            let message = NonNull::new(*message).expect("librdkafka fills the places that it counts");
            each(Fetched { message, lifetime: PhantomData }.or_error());
            // SAFETY: the message is ours since the call, the borrow that `each` got has ended, and no other pointer
            // to it is used again.
            unsafe { librdkafka::rd_kafka_message_destroy(message.as_ptr()) };
        }
        count
    }

    fn call(&self, wait_ms: i32, messages: &mut [*mut librdkafka::rd_kafka_message_t]) -> usize {
        // SAFETY: the queue is valid until `Drop`, and librdkafka locks it. At most `len` pointers are written.
        let count = unsafe {
            librdkafka::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                wait_ms,
                messages.as_mut_ptr(),
                messages.len(),
            )
        };
        // −1 stands for an error that only a queue with callbacks has.
        usize::try_from(count).unwrap_or(0)
    }
}

impl<C: ConsumerContext + 'static> Drop for FetchedQueue<C> {
    fn drop(&mut self) {
        // SAFETY: our one reference to the queue, which nobody uses any more; the client still lives, because fields
        // are dropped after this.
        unsafe { librdkafka::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

impl<C: ConsumerContext + 'static> Deref for FetchedQueue<C> {
    type Target = BaseConsumer<C>;

    fn deref(&self) -> &Self::Target {
        &self.consumer
    }
}

impl<'a> Fetched<'a> {
    fn or_error(self) -> Result<Self, (RDKafkaErrorCode, Self)> {
        match RDKafkaErrorCode::from(self.raw().err) {
            RDKafkaErrorCode::NoError => Ok(self),
            error => Err((error, self)),
        }
    }

    fn raw(&self) -> &'a librdkafka::rd_kafka_message_t {
        // SAFETY: the message is given back only after `'a`, and nobody writes to it meanwhile.
        unsafe { self.message.as_ref() }
    }

    pub(super) fn partition(&self) -> i32 {
        self.raw().partition
    }

    pub(super) fn offset(&self) -> i64 {
        self.raw().offset
    }

    pub(super) fn key(&self) -> &'a [u8] {
        bytes(self.raw().key, self.raw().key_len)
    }

    /// The content; of an error the text.
    pub(super) fn value(&self) -> &'a [u8] {
        bytes(self.raw().payload, self.raw().len)
    }

    /// In milliseconds since 1970, where the message says.
    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = librdkafka::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid, and `kind` is there to be written.
        let timestamp =
            unsafe { librdkafka::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        (timestamp >= 0).then_some(timestamp)
    }

    pub(super) fn has_header(&self, name: &CStr) -> bool {
        let mut headers = std::ptr::null_mut();
        let (mut value, mut length) = (std::ptr::null(), 0);
        // SAFETY: the message is valid. Its headers belong to it; they are decoded at the first call, which is the
        // only writing access, and messages aren't shared among threads. The name ends with a zero byte.
        unsafe {
            librdkafka::rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers)
                == librdkafka::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                && librdkafka::rd_kafka_header_get_last(
                    headers,
                    name.as_ptr(),
                    &raw mut value,
                    &raw mut length,
                ) == librdkafka::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }
}

/// The bytes of a message, which live as long as it does; none where there is no such part.
fn bytes<'a>(start: *const std::ffi::c_void, length: usize) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: called with a message's own pointer and length, for as long as the message is valid.
    unsafe { slice::from_raw_parts(start.cast(), length) }
}
