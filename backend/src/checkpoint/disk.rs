//! The few things that checkpoints ask of a disk, so that a simulation can tear, fill and lose one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Files in one directory, by name.
pub trait Disk: Send + Sync {
    /// A whole file; [`None`] where there is none.
    ///
    /// # Errors
    /// What the disk said.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// The first `length` bytes of a file, in their order and in pieces of any size.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the file is shorter; or what the disk said.
    fn scan(&self, name: &str, length: u64, each: &mut dyn FnMut(&[u8])) -> io::Result<()>;

    /// Makes a file `length` bytes long: cuts it, or creates it where it is missing.
    ///
    /// # Errors
    /// What the disk said.
    fn cut(&self, name: &str, length: u64) -> io::Result<()>;

    /// Appends to a file, which may be only in memory until [`Disk::sync`].
    ///
    /// # Errors
    /// What the disk said; some of the bytes may be there.
    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable what was appended.
    ///
    /// # Errors
    /// What the disk said.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Writes a whole file, durably: after a crash there is either the old one or the new one.
    ///
    /// # Errors
    /// What the disk said.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Renames a file, in place of whatever has the new name. A file that is missing is no error.
    ///
    /// # Errors
    /// What the disk said.
    fn rename(&self, name: &str, to: &str) -> io::Result<()>;
}

/// A directory of the operating system. Only its owner can read the files.
pub struct Directory(PathBuf);

/// So many bytes are read at once.
const PIECE: usize = 1 << 20;

impl Directory {
    /// The directory, which is made where it is missing.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn open(path: &Path) -> io::Result<Self> {
        let is_new = !path.is_dir();
        fs::create_dir_all(path)?;
        let path = fs::canonicalize(path)?;
        if is_new && let Some(parent) = path.parent() {
            // Its own name is durable only with the directory that it is in.
            File::open(parent)?.sync_all()?;
        }
        Ok(Self(path))
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.create(true), 0o600);
        options
    }

    /// Names and renames are durable once the directory is.
    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

impl Disk for Directory {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn scan(&self, name: &str, length: u64, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        let mut file = File::open(self.0.join(name))?;
        let mut piece = vec![0; PIECE];
        let mut left = length;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            file.read_exact(&mut piece[..wanted])?;
            each(&piece[..wanted]);
            left -= wanted as u64;
        }
        Ok(())
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        Self::options().write(true).truncate(false).open(self.0.join(name))?.set_len(length)
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        Self::options().append(true).open(self.0.join(name))?.write_all(bytes)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        File::open(self.0.join(name))?.sync_data()
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let draft = self.0.join(format!("{name}.draft"));
        let mut file = Self::options().write(true).truncate(true).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(draft, self.0.join(name))?;
        self.sync_names()
    }

    fn rename(&self, name: &str, to: &str) -> io::Result<()> {
        match fs::rename(self.0.join(name), self.0.join(to)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync_names(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_appended_cut_scanned_replaced_and_renamed() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Directory::open(&directory.path().join("made")).unwrap();
        assert_eq!(disk.read("a").unwrap(), None);
        disk.cut("a", 0).unwrap();
        disk.append("a", &vec![7; PIECE]).unwrap();
        disk.append("a", b"tail").unwrap();
        disk.sync("a").unwrap();
        let mut seen = Vec::new();
        disk.scan("a", PIECE as u64 + 2, &mut |piece| seen.extend_from_slice(piece)).unwrap();
        assert_eq!((seen.len(), seen.ends_with(b"\x07ta")), (PIECE + 2, true));
        let short = disk.scan("a", PIECE as u64 + 5, &mut |_| {}).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
        disk.cut("a", 3).unwrap();
        assert_eq!(disk.read("a").unwrap().as_deref(), Some(&[7, 7, 7][..]));
        disk.replace("a", b"new").unwrap();
        disk.rename("a", "b").unwrap();
        disk.rename("a", "c").unwrap();
        assert_eq!((disk.read("a").unwrap(), disk.read("b").unwrap()), (None, Some(b"new".to_vec())));
    }

    #[test]
    fn what_a_crash_left_of_a_draft_is_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Directory::open(directory.path()).unwrap();
        disk.replace("a", b"old").unwrap();
        fs::write(directory.path().join("a.draft"), vec![7; 5000]).unwrap();
        assert_eq!(disk.read("a").unwrap().as_deref(), Some(&b"old"[..]));
        disk.replace("a", b"new").unwrap();
        assert_eq!(disk.read("a").unwrap().as_deref(), Some(&b"new"[..]));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_disk_without_room_says_so_and_keeps_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Directory::open(directory.path()).unwrap();
        disk.replace("a", b"old").unwrap();
        let full = |name: &str| std::os::unix::fs::symlink("/dev/full", directory.path().join(name)).unwrap();
        full("a.draft");
        full("voters");
        let outcomes = [disk.replace("a", b"new"), disk.append("voters", b"new")];
        for outcome in outcomes {
            assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!(disk.read("a").unwrap().as_deref(), Some(&b"old"[..]));
        fs::remove_file(directory.path().join("a.draft")).unwrap();
        disk.replace("a", b"new").unwrap();
        assert_eq!(disk.read("a").unwrap().as_deref(), Some(&b"new"[..]));
    }
}
