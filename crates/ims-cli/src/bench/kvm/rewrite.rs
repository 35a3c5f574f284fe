// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The neighbour: a route and an irqfd for every vector, and the whole table of
//! routes rewritten for each vector that is unmasked, inside the vCPU's exit.
//!
//! So do Cloud Hypervisor, crosvm and Firecracker's path for one vector.
//! Written here as fast as it goes: the routes lie ready in one piece, while they
//! gather them from a map or a list of all devices' each time, under a lock.

use super::super::Outcome;
use super::super::still::Still;
use super::devices::{PINS, message, pins};
use ims::message::{Addressing, RequesterId};
use ims_kvm::Composer;
use kvm_bindings::{KvmIrqRouting, kvm_irq_routing_entry};
use std::time::{Duration, Instant};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// Who does it.
pub(super) const REWRITE: &str = "a rewrite for each (Cloud Hypervisor, crosvm, Firecracker)";
/// Who makes all eventfds, and gives all vectors in use a GSI.
pub(super) const EAGER: &str = "an eventfd and a GSI for each (Firecracker)";
pub(super) const BATCH: &str = "one rewrite by hand, then an irqfd each";

/// A VM whose vectors have an eventfd each and no route yet.
struct ByHand {
    still: Still,
    /// The pins', then one for each vector.
    routes: Vec<kvm_irq_routing_entry>,
    eventfds: Vec<(u32, EventFd)>,
}

/// What it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rewritten {
    pub(super) all: Duration,
    /// The longest exit.
    pub(super) longest: Duration,
}

impl ByHand {
    fn new(vectors: u32) -> Outcome<Self> {
        let composer = Composer {
            addressing: Addressing::Xapic,
            device_ids: false,
        };
        let mut routes = pins();
        let mut eventfds = Vec::new();
        for number in 0..vectors {
            let gsi = PINS + number;
            routes.push(composer.route(gsi, RequesterId(0), message(number)?)?);
            eventfds.push((gsi, EventFd::new(EFD_NONBLOCK)?));
        }
        Ok(Self {
            still: Still::new()?,
            routes,
            eventfds,
        })
    }

    /// Has KVM take the first of the routes.
    fn write(&self, routes: usize) -> Outcome<()> {
        let routes = self.routes.get(..routes).unwrap_or(&self.routes);
        let routes = KvmIrqRouting::from_entries(routes).map_err(|error| format!("{error:?}"))?;
        Ok(self.still.vm.set_gsi_routing(&routes)?)
    }
}

/// A rewrite and an irqfd for each vector in turn.
///
/// # Errors
/// What KVM says.
pub(super) fn one_by_one(vectors: u32) -> Outcome<Rewritten> {
    let hand = ByHand::new(vectors)?;
    let pins = pins().len();
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    for (before, (gsi, eventfd)) in hand.eventfds.iter().enumerate() {
        let exit = Instant::now();
        hand.write(pins + before + 1)?;
        hand.still.vm.register_irqfd(eventfd, *gsi)?;
        longest = longest.max(exit.elapsed());
    }
    Ok(Rewritten {
        all: begun.elapsed(),
        longest,
    })
}

/// One rewrite, then an irqfd for each vector.
///
/// # Errors
/// What KVM says.
pub(super) fn at_once(vectors: u32) -> Outcome<Duration> {
    let hand = ByHand::new(vectors)?;
    let begun = Instant::now();
    hand.write(hand.routes.len())?;
    for (gsi, eventfd) in &hand.eventfds {
        hand.still.vm.register_irqfd(eventfd, *gsi)?;
    }
    Ok(begun.elapsed())
}
