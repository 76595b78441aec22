//! A disk so small that it can be filled: memory, mounted where a server keeps its checkpoints.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{process, progress::note};

/// Room for the checkpoints of one server over a night.
const SIZE: &str = "size=96m";
const FILLER: &str = "filler";

/// Unmounted when it goes out of scope.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts the disk where this process may mount; else the full disk is left out, and that is said.
    pub(super) fn mount(path: &Path) -> Result<Option<Self>> {
        fs::create_dir_all(path)?;
        let mut mount = process::command("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tallyboard-chaos"]).arg(path);
        if process::output(&mut mount).is_err() {
            note("NOT TRIED: a full disk, because only root may mount a small one");
            return Ok(None);
        }
        Ok(Some(Self(path.to_owned())))
    }

    pub(super) fn fill(&self) -> Result<()> {
        let mut file = fs::File::create(self.0.join(FILLER))?;
        let zeros = vec![0; 64 * 1024];
        loop {
            match file.write_all(&zeros) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.0.join(FILLER))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = process::output(process::command("umount").arg(&self.0)) {
            note(&format!("{} is still mounted: {error:#}", self.0.display()));
        }
    }
}
