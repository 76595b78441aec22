//! One process per data directory.

use std::{fs::File, path::Path};

use super::JournalError;

/// Keeps other processes out of a directory; released by the operating system however this one ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the directory, which is made where it is missing.
    ///
    /// # Errors
    /// [`JournalError::Setup`] where another process has it, [`JournalError::Storage`] where it can't be written.
    pub fn take(path: &Path) -> Result<Self, JournalError> {
        let failed = |error: std::io::Error| JournalError::Storage {
            path: path.display().to_string(),
            why: error.to_string(),
        };
        std::fs::create_dir_all(path).map_err(failed)?;
        let file = File::create(path.join("lock")).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => {
                JournalError::Setup(format!("another process uses {}", path.display()))
            }
            std::fs::TryLockError::Error(error) => failed(error),
        })?;
        Ok(Self { _file: file })
    }
}
