//! Reading little-endian fields with every bound checked.

/// Bytes that are not what the format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Where, from the start of what was parsed.
    pub(crate) offset: usize,
    /// What does not hold.
    pub(crate) what: &'static str,
}

/// Takes fields off the front of foreign bytes.
pub(crate) struct Wire<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// How much was taken.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.data.len() - self.at
    }

    pub(crate) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { offset: self.at, what }
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.data.len());
        let end = end.ok_or_else(|| self.malformed("it ends too early"))?;
        let taken = &self.data[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("as many bytes as asked for"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count or length that must not exceed `limit`.
    pub(crate) fn bounded_u32(
        &mut self,
        limit: usize,
        what: &'static str,
    ) -> Result<usize, Malformed> {
        let malformed = self.malformed(what);
        usize::try_from(self.u32()?).ok().filter(|value| *value <= limit).ok_or(malformed)
    }

    /// Fails unless the next bytes are these.
    pub(crate) fn expect(&mut self, wanted: &[u8], what: &'static str) -> Result<(), Malformed> {
        let malformed = self.malformed(what);
        if self.bytes(wanted.len())? == wanted { Ok(()) } else { Err(malformed) }
    }

    /// Fails if anything is left.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.at == self.data.len() {
            Ok(())
        } else {
            Err(self.malformed("there is more than belongs here"))
        }
    }
}
