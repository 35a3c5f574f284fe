// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When an entry's old target may be used for something else.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ims::message::{Addressing, RequesterId};
use kvm_bindings::{kvm_irq_routing_entry, kvm_msi};
use rustix::io::Errno;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};
use vmm_sys_util::eventfd::EventFd;

use super::bench::{ALICE, BOB, Bench, TABLE, halves, program, sync};
use crate::guest_ims::layout::remap::{CONTROL, TABLE_EXTENDED};
use crate::guest_ims::{GuestRemap, RemapOptions, layout};
use crate::kvm_message::Composer;
use crate::signal::Signal;
use crate::vcpus::Vcpus;
use crate::vm::Vm;

/// What must wait for a raise that is under way.
type Waits = fn(&Bench, &super::bench::Ims);

#[test]
fn a_sync_or_a_disable_returns_only_when_raises_that_began_before_have_ended() {
    let waits: [Waits; 3] = [
        |_, ims| sync(ims),
        |_, ims| ims.write(0x20, &[0; 4]),
        |bench, _| bench.write(CONTROL, 0),
    ];
    for waits in waits {
        let bench = Bench::enabled();
        let ims = bench.device(ALICE, 4);
        bench.grant(1, ALICE, 1, 0x41);
        program(&ims, 0, 1);
        bench.vm.close_gate();
        let opened = AtomicBool::new(false);
        thread::scope(|scope| {
            let port = ims.port();
            scope.spawn(move || port.raise(0));
            bench.vm.wait_for(1);
            bench.grant(1, ALICE, 2, 0x42);
            let waiter = scope.spawn(|| {
                waits(&bench, &ims);
                assert!(opened.load(Ordering::SeqCst), "did not wait");
                // Its vector is nobody's now.
                bench.vm.vectors()
            });
            // Long enough for one that does not wait.
            for _ in 0..1000 {
                thread::yield_now();
            }
            opened.store(true, Ordering::SeqCst);
            bench.vm.open_gate();
            assert_eq!(waiter.join().unwrap(), [0x41]);
        });
    }
}

#[test]
fn after_a_retarget_and_a_sync_only_the_new_vcpu_hears_of_the_slot() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    bench.grant(1, ALICE, 1, 0x41);
    program(&ims, 0, 1);
    let _ = ims.port().raise(0);
    // One store of 64 bits.
    bench.store(TABLE + 16, halves(ALICE, 2, 0x42)[0]);
    sync(&ims);
    let _ = ims.port().raise(0);
    assert_eq!(bench.vm.vectors(), [0x41, 0x42]);
}

thread_local! {
    /// The vector that raises of this thread may arrive with.
    static MAY: Cell<u8> = const { Cell::new(0) };
}

/// A VM that stops the test at a message that is not its sender's.
#[derive(Debug)]
struct Strict;

impl Vm for Strict {
    fn signal(&self, message: kvm_msi) -> Result<bool, Errno> {
        assert_eq!(message.data, u32::from(MAY.get()), "somebody else's vector");
        Ok(true)
    }

    fn set_routes(&self, _routes: &[kvm_irq_routing_entry]) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn attach(&self, _eventfd: &EventFd, _gsi: u32) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn detach(&self, _eventfd: &EventFd, _gsi: u32) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn max_routes(&self) -> u32 {
        0
    }

    fn takes_device_ids(&self) -> bool {
        false
    }
}

#[test]
fn an_entry_that_changes_hands_under_raises_is_never_half_one_devices_and_half_anothers() {
    let range = (GuestAddress(0), 0x1_0000);
    let memory = Arc::new(GuestMemoryMmap::<()>::from_ranges(&[range]).unwrap());
    let composer = Composer {
        addressing: Addressing::X2apic,
        device_ids: false,
    };
    let vcpus = Vcpus::new(Signal::new(Arc::new(Strict), composer));
    let remap = GuestRemap::new(Arc::clone(&memory), vcpus, RemapOptions::default());
    let write = |register: u64, value: u64| remap.write(register * 8, &value.to_le_bytes());
    write(layout::remap::TABLE, TABLE | TABLE_EXTENDED | 1);
    write(CONTROL, 1);
    let owners = [(ALICE, 0x41), (BOB, 0x42)];
    let stop = AtomicBool::new(false);
    let taken: u64 = thread::scope(|scope| {
        let raisers = owners.map(|(requester, vector)| {
            let (remap, stop) = (remap.clone(), &stop);
            scope.spawn(move || raise_until(&remap, requester, vector, stop))
        });
        for round in 0..300 {
            let (requester, vector) = owners[round % 2];
            let [low, high] = halves(requester, 0, vector);
            let store = |at: u64, word: u64| {
                memory
                    .store(word, GuestAddress(TABLE + at), Ordering::Release)
                    .unwrap();
            };
            // The law: cleared, sync, upper half, lower half.
            store(0, 0);
            remap.sync();
            store(8, high);
            store(0, low);
            if round % 16 == 0 {
                thread::yield_now();
            }
        }
        stop.store(true, Ordering::SeqCst);
        raisers.map(|raiser| raiser.join().unwrap()).iter().sum()
    });
    assert!(taken > 0, "nobody was ever let through");
}

/// Raises a slot that names entry 0; how often it was taken.
fn raise_until(
    remap: &GuestRemap<Strict>,
    requester: RequesterId,
    vector: u8,
    stop: &AtomicBool,
) -> u64 {
    MAY.set(vector);
    let ims = remap.store(requester, 1).unwrap();
    ims.write(0x18, &[1]);
    ims.write(layout::SLOTS, &0xfee0_0010_u64.to_le_bytes());
    ims.write(layout::SLOTS + 8, &0u64.to_le_bytes());
    let port = ims.port();
    while !stop.load(Ordering::SeqCst) {
        let _ = port.raise(0);
    }
    port.counts(0).unwrap().handed_over
}
