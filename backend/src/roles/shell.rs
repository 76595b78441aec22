//! What runs a role: one step at a time, so that a thread can run it for good and a simulation step by step.

use std::time::Duration;

use crate::{journal::JournalError, shutdown::Stop};

/// A part of a role that talks to the journal, the disk or the sockets.
///
/// A shell may be dropped between any two steps, as a crash would: whatever it must not forget lies in the journal.
pub trait Shell: Send {
    /// Does what there is to do, waiting a moment at most where there is nothing.
    ///
    /// # Errors
    /// [`JournalError`] where going on is of no use; what passes is waited out.
    fn step(&mut self) -> Result<Pace, JournalError>;

    /// Brings what is in hand to its end, after the last step of a clean stop. The shells of a process are finished
    /// one after the other, in their order.
    fn finish(&mut self) {}
}

/// When the next step is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Go,
    /// After a rest: nothing can be done before.
    Rest(Duration),
}

/// Steps until stopped, and raises the flag however it ends.
///
/// # Errors
/// What a step ended with.
pub fn drive(shell: &mut dyn Shell, stop: &Stop) -> Result<(), JournalError> {
    let _guard = stop.guard();
    while !stop.is_raised() {
        match shell.step()? {
            Pace::Go => {}
            Pace::Rest(rest) => std::thread::sleep(rest),
        }
    }
    Ok(())
}
