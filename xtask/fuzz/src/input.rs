//! Bytes as a sequence of choices.

/// The rest of the bytes of one run. Past its end every choice is the first.
#[derive(Debug, Clone)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    pub(crate) fn number(&mut self) -> u16 {
        u16::from(self.byte()) << 8 | u16::from(self.byte())
    }

    /// At most so many of the bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (these, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        these
    }

    /// As many bytes as the next number says.
    pub(crate) fn some(&mut self) -> &'a [u8] {
        let count = self.number();
        self.bytes(usize::from(count) % 1_024)
    }

    /// One of these, if there are any.
    pub(crate) fn pick<'b, T>(&mut self, from: &'b [T]) -> Option<&'b T> {
        let choice = usize::from(self.byte());
        from.get(choice.checked_rem(from.len())?)
    }

    /// These bytes with a few changes: a byte that is another, or bytes that are missing.
    pub(crate) fn altered(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..self.below(4) {
            let at = usize::from(self.number()).checked_rem(bytes.len());
            let with = self.byte();
            match (at, with) {
                (None, _) => bytes.push(with),
                (Some(at), 0) => bytes.truncate(at),
                (Some(at), _) => bytes[at] = with,
            }
        }
        bytes
    }
}
