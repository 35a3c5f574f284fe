// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One MSI-X vector: its table entry, its pending bit, its permission.

use ims::message::Message;
use ims_vfio::pci::layout::msix;

use super::handle::Grant;
use crate::layout::tables::MsixPermission;

/// Vector control's mask (PCIe §7.7.2.9).
pub(super) const MASK: u32 = 1 << 0;
/// Words of a table entry: address low and high, data, vector control.
pub(super) const WORDS: usize = 4;
const _: () = assert!(msix::ENTRY == 4 * WORDS as u64);
/// Vector control's place among them.
pub(super) const CONTROL: usize = 3;

/// What a vector's entries hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vector {
    pub(super) words: [u32; WORDS],
    /// Its mask counts.
    pub(super) shown: bool,
    pub(super) pending: bool,
    pub(super) permission: MsixPermission,
    pub(super) grant: Grant,
}

impl Default for Vector {
    fn default() -> Self {
        Self {
            words: [0, 0, 0, MASK],
            shown: false,
            pending: false,
            permission: MsixPermission::new(),
            grant: Grant::default(),
        }
    }
}

impl Vector {
    /// Writes word `at` of the table entry.
    pub(super) fn write(&mut self, at: usize, value: u32) {
        let control = at == CONTROL;
        if let Some(word) = self.words.get_mut(at) {
            *word = if control { value & MASK } else { value };
        }
        self.shown |= control;
    }

    /// Whether its own mask holds it back.
    pub(super) fn is_masked(&self) -> bool {
        let [.., control] = self.words;
        self.shown && control & MASK != 0
    }

    /// The message, if the client lets it be seen.
    pub(super) fn message(&self) -> Option<Message> {
        let [low, high, data, _] = self.words;
        let address = u64::from(high) << 32 | u64::from(low);
        self.shown.then_some(Message { address, data })
    }
}
