//! Stopping: one flag that every thread and task looks at, raised by a signal, by an error or by a test.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

/// Whether the process is to stop. Clones are the same flag.
#[derive(Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Default)]
struct Inner {
    raised: AtomicBool,
    notify: Notify,
}

impl Stop {
    /// Asks everyone to stop.
    pub fn raise(&self) {
        self.0.raised.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }

    /// Raises the flag when it goes out of scope, by an end, an error or a panic: half a pipeline must not look like a
    /// quiet night.
    #[must_use]
    pub fn guard(&self) -> StopGuard<'_> {
        StopGuard(self)
    }

    /// Whether to stop: for threads, which look at it between their waits for the journal.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Acquire)
    }

    /// Returns once everyone is asked to stop: for tasks.
    pub async fn raised(&self) {
        loop {
            // Registered before the flag is read: a raise in between isn't missed.
            let notified = self.0.notify.notified();
            if self.is_raised() {
                return;
            }
            notified.await;
        }
    }
}

/// See [`Stop::guard`].
pub struct StopGuard<'a>(&'a Stop);

impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Returns at SIGINT or SIGTERM.
///
/// # Errors
/// Where the operating system lets nobody listen for signals.
pub async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_and_whoever_comes_later_does_not_wait() {
        let stop = Stop::default();
        assert!(!stop.is_raised());
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.raised().await }
        });
        stop.raise();
        waiting.await.unwrap();
        stop.raised().await;
    }
}
