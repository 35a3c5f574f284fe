// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device asks of KVM, and what it does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ims::domain::Raised;
use ims::message::{Addressing, Message, RequesterId};
use ims::msix::{BarOffset, MsixConfig};
use kvm_bindings::{kvm_irq_routing_entry, kvm_msi};
use rustix::io::Errno;
use vmm_sys_util::eventfd::EventFd;

use super::{MsixDevice, NoSuchVector, Trigger};
use crate::{Forwarder, Interrupts, Options, Pins, Vm};

/// A call on the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Signal {
        address: u32,
        data: u32,
    },
    /// How many routes, pins included.
    Table(usize),
    Attach(u32),
    Detach(u32),
}

use Call::{Attach, Detach, Signal, Table};

/// Writes down what it is asked, and grants it.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Call>>);

impl Recorder {
    fn note(&self, call: Call) {
        self.0.lock().unwrap().push(call);
    }

    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Vm for Recorder {
    fn signal(&self, message: kvm_msi) -> Result<bool, Errno> {
        self.note(Signal {
            address: message.address_lo,
            data: message.data,
        });
        Ok(true)
    }

    fn set_routes(&self, routes: &[kvm_irq_routing_entry]) -> Result<(), Errno> {
        self.note(Table(routes.len()));
        Ok(())
    }

    fn attach(&self, _eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        self.note(Attach(gsi));
        Ok(())
    }

    fn detach(&self, _eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        self.note(Detach(gsi));
        Ok(())
    }

    fn max_routes(&self) -> u32 {
        4096
    }

    fn takes_device_ids(&self) -> bool {
        false
    }
}

/// A VM whose forwarder turns when a test says so.
struct Rig {
    vm: Arc<Recorder>,
    interrupts: Interrupts<Recorder>,
    forwarder: Forwarder<Recorder>,
}

impl Rig {
    fn new() -> Self {
        let vm = Arc::new(Recorder::default());
        let options = Options {
            pins: Pins::Split(24),
            addressing: Addressing::Xapic,
            gsis: None,
        };
        let (interrupts, forwarder) = Interrupts::without_thread(Arc::clone(&vm), options).unwrap();
        Self {
            vm,
            interrupts,
            forwarder,
        }
    }

    fn device(&self, vectors: u16) -> MsixDevice<Recorder> {
        let place = |bir| BarOffset { bir, offset: 0 };
        let config = MsixConfig {
            vectors,
            table: place(0),
            pba: place(1),
        };
        self.interrupts.msix(config, RequesterId(8)).unwrap()
    }

    /// A device whose vectors are all unmasked, with an eventfd that is an irqfd.
    fn attached(&self, vectors: u16) -> (MsixDevice<Recorder>, Vec<Arc<EventFd>>) {
        let mut device = self.device(vectors);
        let eventfds = (0..vectors).map(|vector| device.eventfd(vector).unwrap());
        let eventfds = eventfds.collect();
        start(&mut device);
        let batch = self.interrupts.batch();
        device.want_routes();
        batch.commit().unwrap();
        let attaches = self.vm.take();
        let attaches = attaches.iter().filter(|call| matches!(call, Attach(_)));
        assert_eq!(attaches.count(), usize::from(vectors));
        (device, eventfds)
    }

    /// Lets the forwarder do what it has to do.
    fn turn(&mut self) {
        for _ in 0..3 {
            self.forwarder.turn(Some(Duration::from_millis(1))).unwrap();
        }
    }
}

fn message(vector: u16) -> Message {
    Message {
        address: 0xfee0_0000,
        data: u32::from(vector) + 0x40,
    }
}

fn signal(vector: u16) -> Call {
    Signal {
        address: 0xfee0_0000,
        data: message(vector).data,
    }
}

fn start(device: &mut MsixDevice<Recorder>) {
    for vector in 0..device.config().vectors {
        device.program(vector, message(vector), false).unwrap();
    }
    device.set_enabled(true);
}

fn pba(device: &MsixDevice<Recorder>, byte: u64) -> u8 {
    let mut into = [0];
    device.read_pba(byte, &mut into);
    into[0]
}

#[test]
fn a_device_and_its_triggers_go_to_any_thread() {
    fn any_thread<T: Send + Sync + 'static>() {}
    any_thread::<MsixDevice>();
    any_thread::<Trigger>();
}

#[test]
fn a_write_to_one_entry_leaves_the_other_eventfds_alone() {
    let rig = Rig::new();
    let (mut device, _eventfds) = rig.attached(4);
    device.write_table(2 * 16 + 12, &[1]);
    let [Detach(gsi)] = *rig.vm.take() else {
        panic!("one irqfd of four");
    };
    device.write_table(2 * 16 + 12, &[0]);
    assert_eq!(rig.vm.take(), [Attach(gsi)], "its route stood");
}

#[test]
fn a_control_write_that_lets_nothing_go_touches_no_eventfd() {
    let rig = Rig::new();
    let (mut device, _eventfds) = rig.attached(4);
    let capability = device.capability();
    device.write_config(0, &capability);
    device.write_config(3, &capability[3..4]);
    device.write_config(4, &[0; 8]);
    device.write_config(u16::MAX, &[0xff; 4]);
    assert_eq!(rig.vm.take(), []);

    let disabled = |call: &Call| matches!(call, Detach(_));
    device.set_enabled(false);
    let calls = rig.vm.take();
    assert!(calls.len() == 4 && calls.iter().all(disabled), "{calls:?}");
    device.set_function_masked(true);
    device.set_enabled(true);
    assert_eq!(rig.vm.take(), [], "held back all the while");
}

#[test]
fn unmasking_the_function_needs_no_table_if_nothing_else_changed() {
    let mut rig = Rig::new();
    let (mut device, eventfds) = rig.attached(3);
    device.set_function_masked(true);
    assert_eq!(rig.vm.take().len(), 3);
    eventfds[1].write(1).unwrap();
    rig.turn();
    assert_eq!(rig.vm.take(), []);
    device.set_function_masked(false);
    assert_eq!(rig.vm.take()[..1], [signal(1)], "in the guest's write");
    rig.turn();
    let calls = rig.vm.take();
    assert!(
        !calls.iter().any(|call| matches!(call, Table(_))),
        "{calls:?}"
    );
    assert_eq!(rig.interrupts.report().promoted, 3);
}

#[test]
fn the_pending_bits_that_are_read_are_those_of_now() {
    let rig = Rig::new();
    let mut device = rig.device(20);
    let eventfds: Vec<_> = (0..20).map(|v| device.eventfd(v).unwrap()).collect();
    start(&mut device);
    device.set_function_masked(true);
    // Nobody turns the forwarder.
    eventfds[3].write(1).unwrap();
    eventfds[9].write(1).unwrap();
    assert_eq!(pba(&device, 0), 1 << 3);
    assert_eq!(eventfds[9].read().unwrap(), 1, "not asked for");
    eventfds[9].write(1).unwrap();
    assert_eq!(pba(&device, 1), 1 << 1);
    assert_eq!(pba(&device, 2), 0);
    eventfds[19].write(1).unwrap();
    assert_eq!(device.save().pending, [1 << 3 | 1 << 9 | 1 << 19]);
    assert_eq!(rig.vm.take(), []);
}

#[test]
fn a_vector_without_an_eventfd_asks_nothing_of_kvm_but_its_message() {
    let mut rig = Rig::new();
    let mut device = rig.device(2048);
    start(&mut device);
    device.set_function_masked(true);
    let _ = device.trigger(2047).unwrap().raise();
    device.set_function_masked(false);
    let state = device.save();
    device.reset();
    device.restore(&state).unwrap();
    rig.turn();
    assert_eq!(rig.vm.take(), [signal(2047)]);
    assert_eq!(rig.interrupts.report().eventfds, 0);
}

#[test]
fn what_a_device_leaves_behind_sends_nothing() {
    let mut rig = Rig::new();
    let (device, eventfds) = rig.attached(2);
    let (other, _others) = rig.attached(1);
    let trigger = device.trigger(0).unwrap();
    drop(device);
    let detached = rig.vm.take();
    assert_eq!(detached.len(), 2, "{detached:?}");
    assert_eq!(trigger.raise(), Raised::Held);
    eventfds
        .iter()
        .for_each(|eventfd| eventfd.write(1).unwrap());
    rig.turn();
    assert!(
        !rig.vm
            .take()
            .iter()
            .any(|call| matches!(call, Signal { .. }))
    );
    let report = rig.interrupts.report();
    assert_eq!((report.eventfds, report.promoted), (1, 1));
    drop(other);
    assert_eq!(rig.interrupts.report().eventfds, 0);
}

#[test]
fn a_vector_is_never_sent_with_half_a_message() {
    let rig = Rig::new();
    let mut device = rig.device(1);
    let messages = [0x1000, 0x2000].map(|at: u32| Message {
        address: u64::from(0xfee0_0000 | at),
        data: 0x40 | at >> 12,
    });
    device.program(0, messages[0], false).unwrap();
    device.set_enabled(true);
    let trigger = device.trigger(0).unwrap();
    let raiser = thread::spawn(move || {
        for _ in 0..300_000 {
            let _ = trigger.raise();
        }
        trigger
    });
    while !raiser.is_finished() {
        for message in messages {
            device.program(0, message, false).unwrap();
        }
    }
    let trigger = raiser.join().unwrap();
    assert!(!trigger.is_pending());
    let calls = rig.vm.take();
    for call in &calls {
        let Signal { address, data } = *call else {
            panic!("{call:?}");
        };
        let sent = Message {
            address: address.into(),
            data,
        };
        assert!(messages.contains(&sent), "{sent:x?}");
    }
    let counts = device.counts(0).unwrap();
    assert_eq!(counts.handed_over, calls.len() as u64);
    assert_eq!(counts.raised, counts.handed_over + counts.coalesced);
}

#[test]
fn a_vector_beyond_the_last_is_an_error() {
    let rig = Rig::new();
    let mut device = rig.device(3);
    let beyond = NoSuchVector {
        vector: 3,
        vectors: 3,
    };
    assert_eq!(device.program(3, message(0), false), Err(beyond));
    assert_eq!(device.trigger(3).unwrap_err(), beyond);
    assert!(device.eventfd(3).is_err());
    assert!(device.vector(3).is_none() && device.counts(3).is_none());
    device.close_eventfd(3);
    device.write_table(3 * 16 - 4, &[0xff; 64]);
    assert_eq!(rig.vm.take(), []);
}
