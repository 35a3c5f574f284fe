// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's MSI-X whose messages are written down.

use std::vec::Vec;

use alloc::sync::Arc;

pub(super) use crate::guest::tests::recorder::{REQUESTER, Recorder};
use crate::message::Message;
use crate::msix::{BarOffset, Msix, MsixConfig};

pub(super) const ENABLED: u16 = 1 << 15;
pub(super) const FUNCTION_MASKED: u16 = 1 << 14;

pub(super) type Guest = Msix<Arc<Recorder>>;

pub(super) fn config(vectors: u16) -> MsixConfig {
    MsixConfig {
        vectors,
        table: BarOffset {
            bir: 2,
            offset: 0x1000,
        },
        pba: BarOffset { bir: 2, offset: 0 },
    }
}

/// An MSI-X in reset state.
pub(super) fn guest(vectors: u16) -> (Guest, Arc<Recorder>) {
    let sink = Arc::<Recorder>::default();
    let msix = Msix::new(config(vectors), REQUESTER, Arc::clone(&sink)).unwrap();
    (msix, sink)
}

/// One that is enabled, its vectors programmed and unmasked.
pub(super) fn running(vectors: u16) -> (Guest, Arc<Recorder>) {
    let (mut msix, sink) = guest(vectors);
    set_control(&mut msix, ENABLED);
    for vector in 0..vectors {
        program(&mut msix, vector, message(vector), false);
    }
    (msix, sink)
}

/// The message of a vector.
pub(super) fn message(vector: u16) -> Message {
    Message {
        address: 0xfee0_0000 | u64::from(vector) << 12,
        data: 0x4000 | u32::from(vector),
    }
}

/// Writes message control as Linux does: the word at +2.
pub(super) fn set_control(msix: &mut Guest, control: u16) {
    msix.write_config(2, &control.to_le_bytes());
}

/// Writes a whole entry as Linux does, dword by dword.
pub(super) fn program(msix: &mut Guest, vector: u16, message: Message, masked: bool) {
    let at = u64::from(vector) * 16;
    let address = message.address.to_le_bytes();
    msix.write_table(at, &address[..4]);
    msix.write_table(at + 4, &address[4..]);
    msix.write_table(at + 8, &message.data.to_le_bytes());
    mask(msix, vector, masked);
}

/// Writes vector control.
pub(super) fn mask(msix: &mut Guest, vector: u16, masked: bool) {
    let control = u32::from(masked);
    msix.write_table(u64::from(vector) * 16 + 12, &control.to_le_bytes());
}

pub(super) fn table(msix: &Guest) -> Vec<u8> {
    let mut bytes = vec![0xaa; msix.config().table_bytes() as usize];
    msix.read_table(0, &mut bytes);
    bytes
}

pub(super) fn pba(msix: &Guest) -> Vec<u8> {
    let mut bytes = vec![0xaa; msix.config().pba_bytes() as usize];
    msix.read_pba(0, &mut bytes);
    bytes
}

/// The vectors whose bits are set in the pending-bit array.
pub(super) fn pending(msix: &Guest) -> Vec<u16> {
    let bytes = pba(msix);
    (0..bytes.len() as u16 * 8)
        .filter(|bit| bytes[usize::from(bit / 8)] >> (bit % 8) & 1 == 1)
        .collect()
}
