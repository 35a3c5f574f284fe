// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Eventfds on KVM itself: forwarded, promoted, held, moved, given up. A VM whose vCPU
//! never runs keeps what it was sent, to be looked at; the test takes the forwarder's
//! turns.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod idle_vm;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ims::message::{Addressing, Message, RequesterId};
use ims::sink::{Answer, MessageSink};
use ims_kvm::{Forwarder, Interrupts, Lines, Options, Pins, Signal, Target};
use kvm_bindings::{KVM_IRQCHIP_IOAPIC, kvm_irqchip};
use vmm_sys_util::eventfd::EventFd;

use idle_vm::{Counting, IdleVm};

const VECTORS: u32 = 16;
const FIRST: u8 = 0x40;

/// Vectors that the test masks and programs: data, or masked.
struct Guest {
    signal: Signal<Counting>,
    data: Mutex<Vec<Option<u8>>>,
    /// Raised while masked.
    pending: AtomicU64,
}

impl Target for Guest {
    fn raise(&self, index: u32) {
        match self.message(index) {
            Some((from, message)) => {
                let sent = self.signal.send(from, message);
                assert!(matches!(sent, Answer::Accepted(_)));
            }
            None => {
                self.pending.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn message(&self, index: u32) -> Option<(RequesterId, Message)> {
        let data = self.data.lock().unwrap()[index as usize]?;
        let message = Message {
            address: 0xfee0_0000,
            data: data.into(),
        };
        Some((RequesterId(8), message))
    }
}

struct World {
    vm: IdleVm,
    interrupts: Interrupts<Counting>,
    forwarder: Mutex<Forwarder<Counting>>,
    guest: Arc<Guest>,
    lines: Lines<Counting>,
}

/// None, and why, where there is no KVM.
fn world(test: &str, gsis: Option<u32>) -> Option<World> {
    let vm = IdleVm::or_skip(test)?;
    let options = Options {
        pins: Pins::InKernel,
        addressing: Addressing::Xapic,
        gsis,
    };
    let (interrupts, forwarder) = Interrupts::without_thread(Arc::clone(&vm.vm), options).unwrap();
    let guest = Arc::new(Guest {
        signal: interrupts.signal(),
        data: Mutex::new(
            (0..VECTORS as u8)
                .map(|index| Some(FIRST + index))
                .collect(),
        ),
        pending: AtomicU64::new(0),
    });
    let lines = interrupts.lines(Arc::clone(&guest) as Arc<dyn Target>, VECTORS);
    Some(World {
        vm,
        interrupts,
        forwarder: Mutex::new(forwarder),
        guest,
        lines,
    })
}

impl World {
    fn write(&self, index: u32) {
        self.lines.eventfd(index).unwrap().write(1).unwrap();
    }

    fn turn(&self) -> usize {
        let mut forwarder = self.forwarder.lock().unwrap();
        forwarder.turn(Some(Duration::ZERO)).unwrap()
    }

    /// The guest's write to an entry.
    fn program(&self, index: u32, data: Option<u8>) {
        let held = self.lines.hold(index..index + 1);
        self.guest.data.lock().unwrap()[index as usize] = data;
        drop(held);
    }

    fn promoted(&self) -> u64 {
        self.interrupts.report().promoted
    }

    fn commit(&self) {
        self.lines.want_routes();
        self.interrupts.batch().commit().unwrap();
    }

    /// What the vCPU was sent since it was asked last. An irqfd's first injection is
    /// a worker's.
    fn sent(&self, expected: &[u8]) {
        let start = Instant::now();
        while self.vm.requested().unwrap() != expected {
            assert!(
                start.elapsed().as_secs() < 60,
                "{:?}, not {expected:?}",
                self.vm.requested().unwrap()
            );
            std::thread::yield_now();
        }
        self.vm.take().unwrap();
    }
}

#[test]
fn an_eventfd_is_forwarded_until_it_is_busy_and_then_kvms() {
    let Some(world) = world(
        "an_eventfd_is_forwarded_until_it_is_busy_and_then_kvms",
        None,
    ) else {
        return;
    };
    world.write(3);
    assert_eq!(world.turn(), 1);
    world.sent(&[FIRST + 3]);
    world.write(3);
    assert_eq!(world.turn(), 1);
    world.sent(&[FIRST + 3]);
    let start = Instant::now();
    while world.promoted() == 0 {
        world.turn();
        assert!(start.elapsed().as_secs() < 60);
    }
    assert_eq!((world.vm.signals(), world.vm.tables()), (2, 1));
    world.write(3);
    world.sent(&[FIRST + 3]);
    assert_eq!(world.turn(), 0, "KVM reads it");
    assert_eq!(world.vm.signals(), 2);
}

#[test]
fn a_masked_vector_is_pending_and_kvm_injects_nothing() {
    let Some(world) = world("a_masked_vector_is_pending_and_kvm_injects_nothing", None) else {
        return;
    };
    world.lines.eventfd(0).unwrap();
    world.commit();
    assert_eq!(world.promoted(), 1);
    world.program(0, None);
    assert_eq!(world.promoted(), 0);
    world.write(0);
    world.lines.drain(0..VECTORS);
    assert_eq!(world.guest.pending.load(Ordering::SeqCst), 1);
    assert!(world.vm.requested().unwrap().is_empty());
    world.program(0, Some(FIRST));
    assert_eq!(world.promoted(), 1, "its route stood");
    assert_eq!(world.vm.tables(), 1);
    world.write(0);
    world.sent(&[FIRST]);
}

#[test]
fn what_is_written_after_a_new_message_goes_to_the_new_vector() {
    const NAME: &str = "what_is_written_after_a_new_message_goes_to_the_new_vector";
    let Some(world) = world(NAME, None) else {
        return;
    };
    world.lines.eventfd(0).unwrap();
    world.commit();
    world.program(0, Some(0x99));
    world.write(0);
    assert_eq!(world.turn(), 1);
    world.sent(&[0x99]);
    world.commit();
    world.write(0);
    world.sent(&[0x99]);
    assert_eq!((world.promoted(), world.vm.signals()), (1, 1));
}

/// What the promotion stands on: KVM injects for an eventfd that has been written when
/// it is attached, and takes what is left of the count when it is detached.
#[test]
fn an_eventfd_written_before_it_is_attached_is_injected_once() {
    const NAME: &str = "an_eventfd_written_before_it_is_attached_is_injected_once";
    let Some(world) = world(NAME, None) else {
        return;
    };
    world.write(0);
    world.commit();
    world.sent(&[FIRST]);
    assert_eq!(world.vm.signals(), 0);
    drop(world.lines.hold(0..1));
    let held = world.lines.hold(0..1);
    assert_eq!(world.turn(), 0, "nothing is left of it");
    world.write(0);
    assert_eq!(world.turn(), 1);
    drop(held);
    world.sent(&[FIRST]);
    assert_eq!(world.vm.signals(), 1);
    drop(world.lines.hold(0..1));
    assert!(world.vm.requested().unwrap().is_empty());
}

#[test]
fn an_eventfd_that_blocks_is_forwarded_without_waiting_and_promoted() {
    const NAME: &str = "an_eventfd_that_blocks_is_forwarded_without_waiting_and_promoted";
    let Some(world) = world(NAME, None) else {
        return;
    };
    let theirs = EventFd::new(0).unwrap();
    world.lines.accept(5, theirs.try_clone().unwrap()).unwrap();
    world.lines.drain(5..6);
    theirs.write(1).unwrap();
    assert_eq!(world.turn(), 1);
    world.sent(&[FIRST + 5]);
    world.commit();
    theirs.write(1).unwrap();
    world.sent(&[FIRST + 5]);
    assert_eq!(world.vm.signals(), 1);
}

#[test]
fn gsis_that_are_given_up_serve_others() {
    const NAME: &str = "gsis_that_are_given_up_serve_others";
    let Some(world) = world(NAME, Some(24 + 4)) else {
        return;
    };
    for index in 0..6 {
        world.lines.eventfd(index).unwrap();
    }
    world.commit();
    assert_eq!((world.promoted(), world.vm.routes()), (4, 44));
    (0..4).for_each(|index| world.lines.close(index));
    world.commit();
    assert_eq!((world.promoted(), world.vm.routes()), (2, 42));
    for index in [4, 5] {
        world.write(index);
        world.sent(&[FIRST + index as u8]);
    }
    assert_eq!(world.vm.signals(), 0);
}

#[test]
fn a_pin_still_interrupts_after_vectors_have_their_routes() {
    const NAME: &str = "a_pin_still_interrupts_after_vectors_have_their_routes";
    const PIN: usize = 5;
    const VECTOR: u8 = 0xaa;
    let Some(world) = world(NAME, None) else {
        return;
    };
    world.lines.eventfd(0).unwrap();
    world.commit();
    assert_eq!(world.vm.routes(), 41);
    let mut chip = kvm_irqchip {
        chip_id: KVM_IRQCHIP_IOAPIC,
        ..kvm_irqchip::default()
    };
    world.vm.vm.fd.get_irqchip(&mut chip).unwrap();
    // SAFETY: KVM has filled in this field of the union; it is plain numbers.
    let pins = unsafe { &mut chip.chip.ioapic.redirtbl };
    // Edge, physical destination 0, not masked.
    pins[PIN].bits = VECTOR.into();
    world.vm.vm.fd.set_irqchip(&chip).unwrap();
    world.vm.vm.fd.set_irq_line(PIN as u32, true).unwrap();
    world.sent(&[VECTOR]);
}
