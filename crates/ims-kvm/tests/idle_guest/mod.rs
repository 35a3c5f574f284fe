// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest of an idle VM, and its devices.

use std::sync::Arc;

use ims::message::{Addressing, Message, RequesterId};
use ims::msix::{BarOffset, MsixConfig};
use ims_kvm::{Interrupts, MsixDevice, Options, Pins};

use crate::idle_vm::{Counting, IdleVm};

/// Of the vectors that a vCPU can take from devices, as many as are used here.
pub const VECTORS: usize = 200;
/// The first of them.
const FIRST: usize = 0x30;

/// A message for the VM's only vCPU: the `number`-th, which shares its vector with
/// every 200th.
pub fn message(number: usize) -> Message {
    Message {
        address: 0xfee0_0000,
        data: (FIRST + number % VECTORS) as u32,
    }
}

/// The vector it arrives at.
pub fn vector(number: usize) -> u8 {
    (FIRST + number % VECTORS) as u8
}

pub fn interrupts(vm: &IdleVm) -> Interrupts<Counting> {
    let options = Options {
        pins: Pins::InKernel,
        addressing: Addressing::Xapic,
        gsis: None,
    };
    Interrupts::new(Arc::clone(&vm.vm), options).unwrap()
}

/// A device in slot `number`, in reset state.
pub fn device(
    interrupts: &Interrupts<Counting>,
    number: usize,
    vectors: u16,
) -> MsixDevice<Counting> {
    let config = MsixConfig {
        vectors,
        table: BarOffset { bir: 0, offset: 0 },
        pba: BarOffset {
            bir: 0,
            offset: 0x8000,
        },
    };
    interrupts
        .msix(config, RequesterId(number as u16 * 8))
        .unwrap()
}

/// Waits for the forwarder.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(
            start.elapsed().as_secs() < 60,
            "not within a minute: {what}"
        );
        std::thread::yield_now();
    }
}

/// The bit that the guest reads.
pub fn pending(device: &MsixDevice<Counting>, vector: u16) -> bool {
    let mut byte = [0];
    device.read_pba(u64::from(vector / 8), &mut byte);
    byte[0] >> (vector % 8) & 1 == 1
}
