//! Puts a Brotli and a gzip of each file of the page beside it, so that the server sends them as they are.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};

/// What is compressed already, or by us.
const COMPRESSED: [&str; 7] = ["br", "gz", "gif", "jpg", "png", "webp", "woff2"];

/// Compresses every file of a directory as small as it gets; one that doesn't become smaller has nothing beside it.
pub(super) fn beside(dist: &Path) -> Result<()> {
    for entry in fs::read_dir(dist).with_context(|| dist.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            beside(&path)?;
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if COMPRESSED.contains(&extension) {
            continue;
        }
        let content = fs::read(&path).with_context(|| path.display().to_string())?;
        for (extension, compressed) in [("br", brotli(&content)?), ("gz", gzip(&content)?)] {
            let beside = named(&path, extension);
            if compressed.len() < content.len() {
                fs::write(&beside, compressed).with_context(|| beside.display().to_string())?;
            }
        }
    }
    Ok(())
}

/// The name of a file that is compressed, beside its own.
pub(super) fn named(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let parameters = BrotliEncoderParams { size_hint: content.len(), ..BrotliEncoderParams::default() };
    brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters)?;
    Ok(compressed)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_becomes_smaller_lies_compressed_beside_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let page = "<p>the same again</p>".repeat(100);
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(dir.path().join("deep/index.html"), &page).unwrap();
        fs::write(dir.path().join("tiny.txt"), "x").unwrap();
        fs::write(dir.path().join("photo.png"), &page).unwrap();
        beside(dir.path()).unwrap();
        // Once more finds nothing new to do.
        beside(dir.path()).unwrap();
        let mut names: Vec<_> = ["", "deep"]
            .iter()
            .flat_map(|sub| fs::read_dir(dir.path().join(sub)).unwrap())
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["deep", "index.html", "index.html.br", "index.html.gz", "photo.png", "tiny.txt"]);
        let read = |name: &str| fs::read(dir.path().join("deep").join(name)).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*read("index.html.gz")).read_to_string(&mut text).unwrap();
        assert_eq!(text, page);
        let mut bytes = Vec::new();
        brotli::BrotliDecompress(&mut &*read("index.html.br"), &mut bytes).unwrap();
        assert_eq!(bytes, page.as_bytes());
    }
}
