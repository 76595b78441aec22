//! Damage to the checkpoints of a server that is down: what a failing disk or a careless hand leaves.

use std::{fs, path::PathBuf};

use anyhow::Result;
use fastrand::Rng;

/// Damages one of the files of the server with this number, and says which and how; [`None`] where it has none yet.
pub(super) fn damage(
    data_dirs: &[PathBuf],
    server: usize,
    rng: &mut Rng,
) -> Result<Option<(&'static str, String)>> {
    let files = files_of(&data_dirs[server])?;
    let Some(file) = rng.choice(&files) else {
        return Ok(None);
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut bytes = fs::read(file)?;
    let damage = match rng.u8(0..4) {
        0 if !bytes.is_empty() => {
            let at = rng.usize(0..bytes.len());
            bytes[at] ^= 1 << rng.u8(0..8);
            "damaged"
        }
        1 if !bytes.is_empty() => {
            bytes.truncate(rng.usize(0..bytes.len()));
            "truncated"
        }
        2 => {
            // Of the same kind and name, but from another server; or else of another partition.
            let others: Vec<_> =
                data_dirs.iter().enumerate().filter(|(number, _)| *number != server).collect();
            let mut foreign: Vec<_> = others
                .iter()
                .map(|(_, dir)| dir.join("checkpoints").join(&name))
                .filter(|path| path.is_file())
                .collect();
            foreign.extend(
                files.iter().filter(|other| *other != file && other.extension() == file.extension()).cloned(),
            );
            let Some(other) = rng.choice(&foreign) else {
                return Ok(None);
            };
            bytes = fs::read(other)?;
            "foreign"
        }
        _ => {
            fs::remove_file(file)?;
            return Ok(Some(("missing", name)));
        }
    };
    fs::write(file, bytes)?;
    Ok(Some((damage, name)))
}

fn files_of(data_dir: &std::path::Path) -> Result<Vec<PathBuf>> {
    let dir = data_dir.join("checkpoints");
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<_> =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.retain(|path| path.is_file());
    files.sort_unstable();
    Ok(files)
}
