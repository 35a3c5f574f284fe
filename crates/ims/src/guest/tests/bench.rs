// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's store whose messages are written down.

use std::vec::Vec;

use alloc::sync::Arc;

use crate::guest::Store;
use crate::message::Message;

pub(super) use super::recorder::{REQUESTER, Recorder};

pub(super) type Guest = Store<Arc<Recorder>>;

/// A store in reset state.
pub(super) fn guest(slots: u32) -> (Guest, Arc<Recorder>) {
    let sink = Arc::<Recorder>::default();
    let store = Store::new(slots, REQUESTER, Arc::clone(&sink)).unwrap();
    (store, sink)
}

/// The message of a slot.
pub(super) fn message(slot: u32) -> Message {
    Message {
        address: 0x7_fee0_0010 | u64::from(slot) << 12,
        data: 0x100_0000 | slot,
    }
}

/// Writes a whole slot as a driver does: control last.
pub(super) fn program(store: &mut Guest, slot: u32, message: Message, masked: bool) {
    let at = u64::from(slot) * 16;
    let address = message.address.to_le_bytes();
    store.write(at, &address[..4]);
    store.write(at + 4, &address[4..]);
    store.write(at + 8, &message.data.to_le_bytes());
    mask(store, slot, masked);
}

/// Writes control.
pub(super) fn mask(store: &mut Guest, slot: u32, masked: bool) {
    let control = u32::from(masked).to_le_bytes();
    store.write(u64::from(slot) * 16 + 12, &control);
}

/// What a guest reads of a slot's control.
pub(super) fn control(store: &Guest, slot: u32) -> u32 {
    let mut bytes = [0xaa; 4];
    store.read(u64::from(slot) * 16 + 12, &mut bytes);
    u32::from_le_bytes(bytes)
}

/// All slots as the guest reads them.
pub(super) fn slots(store: &Guest) -> Vec<u8> {
    let mut bytes = vec![0xaa; store.bytes() as usize];
    store.read(0, &mut bytes);
    bytes
}
