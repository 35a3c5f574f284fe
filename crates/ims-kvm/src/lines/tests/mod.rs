// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lines of a model VM: a guest that masks and moves, writers, and turns of the
//! forwarder, one after the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod batches;
mod behaviour;
mod panics;
mod property;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ims::message::{Addressing, Message, RequesterId};
use ims::sink::{Answer, MessageSink};
use kvm_bindings::kvm_irq_routing_entry;

use super::{Lines, Target};
use crate::forwarder::Forwarder;
use crate::interrupts::{Interrupts, Options, Pins};
use crate::model_vm::ModelVm;
use crate::signal::Signal;

/// GSIs that are pins' in these tests.
const PINS: u32 = 2;
const ADDRESS: u64 = 0xfee0_1000;

/// A guest's vectors, masked and programmed as MSI-X entries are. The data of a
/// message says which vector and which of its messages it is.
struct Guest {
    signal: Signal<ModelVm>,
    vectors: Mutex<Vec<Vector>>,
    /// What lines raised since it was asked last.
    raised: Mutex<Vec<u32>>,
}

#[derive(Debug, Clone, Copy)]
struct Vector {
    masked: bool,
    pending: bool,
    /// Which message it has now.
    version: u32,
    /// KVM may not send it by itself.
    forwarded_only: bool,
    /// Its message cannot be KVM's.
    malformed: bool,
}

fn data(index: u32, version: u32) -> u32 {
    version << 8 | index
}

impl Target for Guest {
    fn raise(&self, index: u32) {
        self.raised.lock().unwrap().push(index);
        self.deliver(index);
    }

    fn message(&self, index: u32) -> Option<(RequesterId, Message)> {
        let vector = self.vectors.lock().unwrap()[index as usize];
        let high = if vector.malformed { 1 << 40 } else { 0 };
        let message = Message {
            address: ADDRESS | high,
            data: data(index, vector.version),
        };
        (!vector.masked && !vector.forwarded_only).then_some((RequesterId(7), message))
    }
}

impl Guest {
    /// The guest's write to an entry, which the VMM puts between hold and release.
    fn change(&self, index: u32, change: impl FnOnce(&mut Vector)) {
        change(&mut self.vectors.lock().unwrap()[index as usize]);
        let was_pending = {
            let vector = &mut self.vectors.lock().unwrap()[index as usize];
            !vector.masked && std::mem::take(&mut vector.pending)
        };
        if was_pending {
            self.deliver(index);
        }
    }

    /// Sends the vector's message, or keeps it pending.
    fn deliver(&self, index: u32) {
        let mut vectors = self.vectors.lock().unwrap();
        let vector = &mut vectors[index as usize];
        if vector.masked {
            vector.pending = true;
            return;
        }
        let message = Message {
            address: ADDRESS,
            data: data(index, vector.version),
        };
        let sent = self.signal.send(RequesterId(0), message);
        assert!(matches!(sent, Answer::Accepted(_)));
    }

    fn vector(&self, index: u32) -> Vector {
        self.vectors.lock().unwrap()[index as usize]
    }
}

/// A device of so many vectors, all unmasked, on a VM of so many GSIs.
struct World {
    vm: Arc<ModelVm>,
    interrupts: Interrupts<ModelVm>,
    forwarder: Mutex<Forwarder<ModelVm>>,
    guest: Arc<Guest>,
    lines: Lines<ModelVm>,
}

fn world(vectors: u32, gsis: u32) -> World {
    let vm = Arc::new(ModelVm::new(64));
    let options = Options {
        pins: Pins::Routes(pins(0..PINS)),
        addressing: Addressing::Xapic,
        gsis: Some(gsis),
    };
    let (interrupts, forwarder) = Interrupts::without_thread(Arc::clone(&vm), options).unwrap();
    let vector = Vector {
        masked: false,
        pending: false,
        version: 0,
        forwarded_only: false,
        malformed: false,
    };
    let guest = Arc::new(Guest {
        signal: interrupts.signal(),
        vectors: Mutex::new(vec![vector; vectors as usize]),
        raised: Mutex::default(),
    });
    let lines = interrupts.lines(Arc::clone(&guest) as Arc<dyn Target>, vectors);
    World {
        vm,
        interrupts,
        forwarder: Mutex::new(forwarder),
        guest,
        lines,
    }
}

/// Routes of an interrupt controller's pins.
fn pins(gsis: impl IntoIterator<Item = u32>) -> Vec<kvm_irq_routing_entry> {
    let route = |gsi| kvm_irq_routing_entry {
        gsi,
        type_: kvm_bindings::KVM_IRQ_ROUTING_IRQCHIP,
        ..kvm_irq_routing_entry::default()
    };
    gsis.into_iter().map(route).collect()
}

impl World {
    fn write(&self, index: u32) {
        self.vm.write(&self.lines.eventfd(index).unwrap());
    }

    fn is_irqfd(&self, index: u32) -> bool {
        self.vm.is_irqfd(&self.lines.eventfd(index).unwrap())
    }

    /// The guest's write to one entry.
    fn change(&self, index: u32, change: impl FnOnce(&mut Vector)) {
        let held = self.lines.hold(index..index + 1);
        self.guest.change(index, change);
        drop(held);
    }

    /// A turn of the forwarder when `time` has passed.
    fn turn(&self, time: Duration) {
        self.interrupts.pass(time);
        self.forwarder
            .lock()
            .unwrap()
            .turn(Some(Duration::ZERO))
            .unwrap();
    }

    /// Turns until all has been done that can be.
    fn settle(&self) {
        for _ in 0..6 {
            self.turn(Duration::from_secs(10));
        }
    }

    /// The data of what reached the APICs since it was asked last.
    fn delivered(&self) -> Vec<u32> {
        self.vm.delivered().iter().map(|sent| sent.data).collect()
    }

    fn commit(&self) -> Result<crate::Committed, crate::CommitError> {
        self.interrupts.batch().commit()
    }
}
