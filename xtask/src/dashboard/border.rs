//! The border between the page's program and the script that binds it to the browser.
//!
//! wasm-bindgen names what crosses it by hashes, once in each of the two files: eight bytes a name that nothing
//! compresses. Here the names become short, and what the script never calls is no longer handed out, so that wasm-opt
//! leaves out what only that needs.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, ensure};

/// Before the first section: the magic number and the version.
const HEADER: usize = 8;
const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;
/// The kind of an import or export that is a function.
const FUNCTION: u8 = 0;
/// The digits of a hash in a name.
const HASH: usize = 16;

/// The program and its script, with short names in both; `script` is minified, and names nothing else by a hash.
pub(super) fn shortened(program: &[u8], script: &str) -> Result<(Vec<u8>, String)> {
    let named: HashSet<&str> = script.split(|sign| !is_of_name(sign)).collect();
    let mut names = Names::default();
    let mut shortened = program.get(..HEADER).context("no program")?.to_vec();
    let mut input = Input(&program[HEADER..]);
    while let [kind, rest @ ..] = input.0 {
        input = Input(rest);
        let section = input.bytes()?;
        let section = match *kind {
            IMPORTS => imports(Input(section), &mut names)?,
            EXPORTS => exports(Input(section), &named, &mut names)?,
            _ => section.to_vec(),
        };
        shortened.push(*kind);
        write_bytes(&mut shortened, &section);
    }
    Ok((shortened, names.applied(script)))
}

fn imports(mut section: Input<'_>, names: &mut Names) -> Result<Vec<u8>> {
    let count = section.number()?;
    let mut shortened = Vec::new();
    write_number(&mut shortened, count);
    for _ in 0..count {
        write_bytes(&mut shortened, section.bytes()?);
        write_bytes(&mut shortened, names.short(section.text()?).as_bytes());
        let kind = section.byte()?;
        ensure!(kind == FUNCTION, "the program imports something of the kind {kind}");
        shortened.push(kind);
        write_number(&mut shortened, section.number()?);
    }
    Ok(shortened)
}

fn exports(mut section: Input<'_>, named: &HashSet<&str>, names: &mut Names) -> Result<Vec<u8>> {
    let mut kept = 0;
    let mut entries = Vec::new();
    for _ in 0..section.number()? {
        let (name, kind, index) = (section.text()?, section.byte()?, section.number()?);
        if named.contains(name) {
            kept += 1;
            write_bytes(&mut entries, names.short(name).as_bytes());
            entries.push(kind);
            write_number(&mut entries, index);
        }
    }
    let mut shortened = Vec::new();
    write_number(&mut shortened, kept);
    shortened.extend(entries);
    Ok(shortened)
}

/// The short names that were given.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn short(&mut self, name: &str) -> String {
        let mut digits = name.split(|sign: char| !sign.is_ascii_hexdigit());
        if !digits.any(|digits| digits.len() == HASH) {
            return name.to_owned();
        }
        let next = format!("_{:x}", self.0.len());
        self.0.entry(name.to_owned()).or_insert(next).clone()
    }

    fn applied(&self, script: &str) -> String {
        script
            .split_inclusive(|sign| !is_of_name(sign))
            .map(|word| {
                let (name, end) = word.split_at(word.trim_end_matches(|sign| !is_of_name(sign)).len());
                format!("{}{end}", self.0.get(name).map_or(name, String::as_str))
            })
            .collect()
    }
}

fn is_of_name(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '_' || sign == '$'
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.0.split_first().context("the program ends too early")?;
        self.0 = rest;
        Ok(*byte)
    }

    /// A number in LEB128.
    fn number(&mut self) -> Result<usize> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            ensure!(shift < 32, "the program has a number that is too long");
            number |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return Ok(number);
            }
        }
    }

    /// As many bytes as the number before them says.
    fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(len).context("the program ends too early")?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str> {
        Ok(str::from_utf8(self.bytes()?)?)
    }
}

fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len());
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(out: &mut Vec<u8>, name: &str, index: u8) {
        write_bytes(out, name.as_bytes());
        out.extend([FUNCTION, index]);
    }

    #[test]
    fn names_with_hashes_become_short_and_what_nobody_calls_goes() {
        let mut imports = vec![2];
        for (name, index) in [("__wbg_now_0123456789abcdef", 0), ("__wbindgen_throw", 130)] {
            write_bytes(&mut imports, b"./program.js");
            write_bytes(&mut imports, name.as_bytes());
            imports.push(FUNCTION);
            write_number(&mut imports, index);
        }
        let mut exports = vec![3];
        named(&mut exports, "main", 2);
        named(&mut exports, "invoke__hfedcba9876543210_14", 3);
        named(&mut exports, "never_called", 4);
        let mut program = b"\0asm\x01\0\0\0".to_vec();
        for (kind, section) in [(IMPORTS, &imports[..]), (EXPORTS, &exports), (10, &[7; 300])] {
            program.push(kind);
            write_bytes(&mut program, section);
        }
        let script =
            "a={__wbg_now_0123456789abcdef:()=>1,__wbindgen_throw:t};w.main(),w.invoke__hfedcba9876543210_14";
        let (short, script) = shortened(&program, script).unwrap();
        assert_eq!(script, "a={_0:()=>1,__wbindgen_throw:t};w.main(),w._1");
        let text = String::from_utf8_lossy(&short);
        assert!(text.starts_with("\0asm\x01\0\0\0"), "{text}");
        for there in ["\x0c./program.js\x02_0", "\x10__wbindgen_throw", "\x02\x04main", "\x02_1"] {
            assert!(text.contains(there), "{there}: {text}");
        }
        for gone in ["never_called", "0123456789abcdef"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert!(short.ends_with(&[7; 300]));
        // Once more finds nothing to do.
        assert_eq!(shortened(&short, &script).unwrap(), (short.clone(), script));
    }

    #[test]
    fn what_is_no_program_is_told() {
        assert!(shortened(b"\0asm", "").is_err());
        assert!(shortened(b"\0asm\x01\0\0\0\x02\x7f", "").is_err());
        assert!(shortened(b"\0asm\x01\0\0\0\x02\x03\x01\x01", "").is_err());
    }
}
