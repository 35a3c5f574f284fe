// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The capabilities by which a driver finds the structures. Source: virtio 1.3, 4.1.4.

use crate::layout::pci::{CAP_COMMON, CAP_DEVICE, CAP_ISR, CAP_NOTIFY, CAP_PCI, bar, common, isr};

/// A vendor-specific capability: where a structure is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capability {
    /// What comes after ID, link and length.
    pub bytes: Vec<u8>,
    /// The bits of it that software may write.
    pub mask: Vec<u8>,
}

/// `bar` and what is up to `offset`, and then `length`, as software may write them
/// in the capability that is a window.
const WINDOW_MASK: [u8; 17] = [
    0, 0xff, 0, 0, 0, // cfg_type, bar, id, padding
    0xff, 0xff, 0xff, 0xff, // offset
    0xff, 0xff, 0xff, 0xff, // length
    0, 0, 0, 0, // pci_cfg_data: not kept, but read and written where the rest says
];

impl Capability {
    fn new(kind: u8, offset: u64, length: u64) -> Self {
        let mut bytes = vec![kind, bar::NUMBER, 0, 0, 0];
        for value in [offset, length] {
            // All in one BAR of 32 bits.
            let value = u32::try_from(value).unwrap_or(u32::MAX);
            bytes.extend(value.to_le_bytes());
        }
        let mask = vec![0; bytes.len()];
        Self { bytes, mask }
    }

    fn and(mut self, word: u32) -> Self {
        self.bytes.extend(word.to_le_bytes());
        self.mask.extend([0; size_of::<u32>()]);
        self
    }

    fn window() -> Self {
        let mut window = Self::new(CAP_PCI, 0, 0).and(0);
        window.mask = WINDOW_MASK.to_vec();
        window
    }
}

/// The capabilities of a function whose BAR [`bar::NUMBER`] is a [`Pci`](super::Pci),
/// in the order they are to be listed. The last one is the window by which software
/// that cannot reach the BAR does: accesses to its data are accesses to the BAR, made
/// by whoever has config space.
pub fn capabilities() -> [Capability; 5] {
    [
        Capability::new(CAP_COMMON, bar::COMMON, common::BYTES),
        Capability::new(CAP_NOTIFY, bar::NOTIFY, bar::NOTIFY_BYTES).and(bar::NOTIFY_MULTIPLIER),
        Capability::new(CAP_ISR, bar::ISR, isr::BYTES),
        Capability::new(CAP_DEVICE, bar::DEVICE, bar::DEVICE_BYTES),
        Capability::window(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::pci::CAPABILITY_BYTES;

    #[test]
    fn each_says_where_its_structure_is() {
        let [common, notify, isr, device, window] = capabilities();
        let words = |capability: &Capability| -> Vec<u32> {
            let words = capability.bytes[5..].chunks(4);
            words
                .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
                .collect()
        };
        assert_eq!(common.bytes[..5], [1, 0, 0, 0, 0]);
        assert_eq!(words(&common), [0, 0x3c]);
        assert_eq!(notify.bytes[..5], [2, 0, 0, 0, 0]);
        assert_eq!(words(&notify), [0x4000, 0x4000, 4]);
        assert_eq!(isr.bytes[..5], [3, 0, 0, 0, 0]);
        assert_eq!(words(&isr), [0x1000, 1]);
        assert_eq!(device.bytes[..5], [4, 0, 0, 0, 0]);
        assert_eq!(words(&device), [0x2000, 0x1000]);
        assert_eq!(window.bytes, [vec![5], vec![0; 16]].concat());
        for capability in capabilities() {
            assert_eq!(capability.bytes.len(), capability.mask.len());
            let whole = usize::from(CAPABILITY_BYTES) - 3;
            assert!([whole, whole + 4].contains(&capability.bytes.len()));
        }
    }
}
