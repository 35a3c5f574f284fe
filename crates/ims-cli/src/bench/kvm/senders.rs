// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What many sources raise with: a vector of a device each, or irqfds that they share.

use super::super::Outcome;
use super::devices::{PINS, device, interrupts, pins};
use ims::domain::Raised;
use ims::message::{Addressing, RequesterId};
use ims::msix::layout::MAX_VECTORS;
use ims_kvm::machine::Machine;
use ims_kvm::{Composer, Interrupts, MsixDevice, Trigger};
use kvm_bindings::KvmIrqRouting;
use std::sync::Arc;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// A vCPU, and a vector of it.
pub(super) type Seat = (u32, u8);

/// As many vectors as can have a route.
pub(super) const ROUTED: u32 = 4096 - PINS;

/// One source's way.
pub(super) enum Sender {
    Message(Trigger),
    Irqfd(Arc<EventFd>),
}

/// What keeps them.
pub(super) struct Senders {
    interrupts: Option<Interrupts>,
    _devices: Vec<MsixDevice>,
}

impl Sender {
    #[inline]
    pub(super) fn send(&self) -> Outcome<()> {
        match self {
            Self::Message(trigger) => match trigger.raise() {
                Raised::Sent(_) => Ok(()),
                raised => Err(format!("a raise was not sent: {raised:?}").into()),
            },
            Self::Irqfd(eventfd) => Ok(eventfd.write(1)?),
        }
    }
}

impl Senders {
    /// A vector of a device for each source; their messages meet on `seats`.
    ///
    /// # Errors
    /// More devices than a bus has.
    pub(super) fn by_message(
        machine: &Machine,
        seats: &[Seat],
        sources: u32,
    ) -> Outcome<(Self, Vec<Sender>)> {
        let interrupts = interrupts(machine.vm().clone(), None)?;
        let mut devices = Vec::new();
        let mut senders = Vec::new();
        let sources = usize::try_from(sources)?;
        let mut seats = seats.iter().cycle().take(sources).peekable();
        while seats.peek().is_some() {
            let number = u32::try_from(devices.len())?;
            let mut device = device(&interrupts, number, MAX_VECTORS)?;
            for (vector, (cpu, at)) in (0..MAX_VECTORS).zip(seats.by_ref()) {
                device.program(vector, machine.message(*cpu, *at), false)?;
                senders.push(Sender::Message(device.trigger(vector)?));
            }
            device.set_enabled(true);
            devices.push(device);
        }
        let all = Self {
            interrupts: Some(interrupts),
            _devices: devices,
        };
        Ok((all, senders))
    }

    /// An irqfd for each of `seats`, shared by the sources that meet there. Theirs are
    /// all routes that the VM has.
    ///
    /// # Errors
    /// What KVM says.
    pub(super) fn by_irqfd(
        machine: &Machine,
        seats: &[Seat],
        sources: u32,
    ) -> Outcome<(Self, Vec<Sender>)> {
        let composer = Composer {
            addressing: Addressing::Xapic,
            device_ids: false,
        };
        let mut routes = pins();
        for (gsi, (cpu, vector)) in (PINS..).zip(seats) {
            let message = machine.message(*cpu, *vector);
            routes.push(composer.route(gsi, RequesterId(0), message)?);
        }
        let routes = KvmIrqRouting::from_entries(&routes).map_err(|error| format!("{error:?}"))?;
        machine.vm().set_gsi_routing(&routes)?;
        let mut irqfds = Vec::new();
        for (gsi, _) in (PINS..).zip(seats) {
            let eventfd = EventFd::new(EFD_NONBLOCK)?;
            machine.vm().register_irqfd(&eventfd, gsi)?;
            irqfds.push(Arc::new(eventfd));
        }
        let shared = irqfds.into_iter().cycle().take(usize::try_from(sources)?);
        let senders = shared.map(Sender::Irqfd).collect();
        let none = Self {
            interrupts: None,
            _devices: Vec::new(),
        };
        Ok((none, senders))
    }

    /// Messages that an APIC took, as KVM says; it does not say so of irqfds.
    pub(super) fn accepted(&self) -> u64 {
        let reported = self.interrupts.as_ref().map(Interrupts::report);
        reported.map_or(0, |report| report.signalled.accepted)
    }
}
