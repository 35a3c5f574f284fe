// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers as bytes: what they hold, and which bits software may change.

/// The bytes of config space as they are after power-on, and what becomes of each
/// bit when it is written. It does not change once it is built.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// What is there after power-on.
    pub(crate) initial: Box<[u8]>,
    /// Bits that take what is written.
    pub(crate) writable: Box<[u8]>,
    /// Bits that become zero when one is written.
    pub(crate) cleared: Box<[u8]>,
    /// Bits the device changes by itself.
    pub(crate) device: Box<[u8]>,
}

impl Image {
    pub(crate) fn new(size: u16) -> Self {
        let zeros = || vec![0; usize::from(size)].into_boxed_slice();
        Self {
            initial: zeros(),
            writable: zeros(),
            cleared: zeros(),
            device: zeros(),
        }
    }

    /// Gives back the memory of the end that is all zeros; what lies there reads as
    /// zero and cannot be written. There may be thousands of functions.
    pub(crate) fn trim(&mut self) {
        let all = [
            &mut self.initial,
            &mut self.writable,
            &mut self.cleared,
            &mut self.device,
        ];
        let used = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0);
        let last = all.iter().filter_map(|bytes| used(bytes)).max();
        let length = last.map_or(0, |last| last.saturating_add(1));
        for bytes in all {
            *bytes = bytes.iter().take(length).copied().collect();
        }
    }

    /// What a byte that holds `old` holds after `new` was written at `offset`.
    pub(crate) fn written(&self, offset: usize, old: u8, new: u8) -> u8 {
        let writable = self.writable.get(offset).copied().unwrap_or(0);
        let cleared = self.cleared.get(offset).copied().unwrap_or(0);
        ((old & !writable) | (new & writable)) & !(new & cleared)
    }

    /// Bits at `offset` that differ in `bytes` although nothing may change them.
    pub(crate) fn foreign(&self, offset: usize, byte: u8) -> u8 {
        let at = |bytes: &[u8]| bytes.get(offset).copied().unwrap_or(0);
        let changes = at(&self.writable) | at(&self.cleared) | at(&self.device);
        (byte ^ at(&self.initial)) & !changes
    }
}

/// Puts `bytes` at `offset`; what would lie outside is left out.
pub(crate) fn put(image: &mut [u8], offset: u16, bytes: &[u8]) {
    for (to, from) in image.iter_mut().skip(usize::from(offset)).zip(bytes) {
        *to = *from;
    }
}

/// The 16 bits at `offset`; what lies outside is zero.
pub(crate) fn get16(image: &[u8], offset: u16) -> u16 {
    let at = |offset: usize| image.get(offset).copied().unwrap_or(0);
    let offset = usize::from(offset);
    u16::from_le_bytes([at(offset), at(offset.saturating_add(1))])
}

/// The 32 bits at `offset`; what lies outside is zero.
pub(crate) fn get32(image: &[u8], offset: u16) -> u32 {
    u32::from(get16(image, offset)) | u32::from(get16(image, offset.saturating_add(2))) << 16
}
