//! Values as postcard writes them, from the front of what is left of a frame.

use super::Unreadable;

/// What is left.
pub(super) struct Bytes<'de>(pub(super) &'de [u8]);

impl<'de> Bytes<'de> {
    fn byte(&mut self) -> Result<u8, Unreadable> {
        let (first, rest) = self.0.split_first().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, len: usize) -> Result<&'de [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Unreadable> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable),
        }
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    pub(super) fn unsigned(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(Unreadable);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Unreadable)
    }

    /// 0, -1, 1, -2, … as 0, 1, 2, 3, …
    pub(super) fn signed(&mut self) -> Result<i64, Unreadable> {
        let number = self.unsigned()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn float(&mut self) -> Result<f64, Unreadable> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    pub(super) fn len(&mut self) -> Result<usize, Unreadable> {
        usize::try_from(self.unsigned()?).map_err(|_| Unreadable)
    }

    pub(super) fn text(&mut self) -> Result<&'de str, Unreadable> {
        let len = self.len()?;
        std::str::from_utf8(self.take(len)?).map_err(|_| Unreadable)
    }
}
