// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways an interrupt goes into a guest.

use super::super::Outcome;
use super::super::cpu::threads;
use super::devices::{PINS, device, interrupts, pins, wait_promoted};
use ims::domain::Raised;
use ims::message::{Addressing, Message, RequesterId};
use ims_kvm::{Composer, Interrupts, MsixDevice};
use kvm_bindings::KvmIrqRouting;
use kvm_ioctls::VmFd;
use rustix::thread::Pid;
use std::sync::Arc;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A raise of the VMM's own: `KVM_SIGNAL_MSI`.
    Signal,
    /// A write to an eventfd that has a route and is KVM's, by hand.
    Irqfd,
    /// A write to a vector's eventfd that has no route.
    Forwarded,
    /// A write to a vector's eventfd that was given one.
    Promoted,
}

/// What goes that way, again and again.
pub(super) struct Fire {
    fire: Box<dyn Fn() -> Outcome<()>>,
    /// Who forwards it.
    pub(super) forwarder: Option<Pid>,
}

/// The VM, its device of one vector, and the vector's eventfd if it has one.
struct Vector {
    interrupts: Interrupts,
    device: MsixDevice,
}

impl Fire {
    /// One interrupt.
    #[inline]
    pub(super) fn fire(&self) -> Outcome<()> {
        (self.fire)()
    }
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Signal, Self::Irqfd, Self::Forwarded, Self::Promoted];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Signal => "raise by message",
            Self::Irqfd => "irqfd by hand",
            Self::Forwarded => "eventfd, forwarded",
            Self::Promoted => "eventfd, promoted",
        }
    }

    /// Makes it send `message` to `vm`, whose only routes are made here.
    ///
    /// # Errors
    /// What KVM says.
    pub(super) fn to(self, vm: &Arc<VmFd>, message: Message) -> Outcome<Fire> {
        match self {
            Self::Signal => signal(vm, message),
            Self::Irqfd => irqfd(vm, message),
            Self::Forwarded => forwarded(vm, message),
            Self::Promoted => promoted(vm, message),
        }
    }
}

impl Vector {
    fn new(vm: &Arc<VmFd>, gsis: Option<u32>, message: Message) -> Outcome<Self> {
        let interrupts = interrupts(Arc::clone(vm), gsis)?;
        let mut device = device(&interrupts, 0, 1)?;
        device.program(0, message, false)?;
        device.set_enabled(true);
        Ok(Self { interrupts, device })
    }

    /// A way that writes its eventfd.
    fn written(self, forwarder: Option<Pid>) -> Outcome<Fire> {
        let eventfd = self.device.eventfd(0)?;
        let fire = move || {
            // Without them there is no interrupt.
            let _ = &self;
            Ok(eventfd.write(1)?)
        };
        Ok(Fire {
            fire: Box::new(fire),
            forwarder,
        })
    }
}

fn signal(vm: &Arc<VmFd>, message: Message) -> Outcome<Fire> {
    let vector = Vector::new(vm, None, message)?;
    let trigger = vector.device.trigger(0)?;
    let fire = move || {
        let _ = &vector;
        match trigger.raise() {
            Raised::Sent(_) => Ok(()),
            raised => Err(format!("a raise was not sent: {raised:?}").into()),
        }
    };
    Ok(Fire {
        fire: Box::new(fire),
        forwarder: None,
    })
}

fn irqfd(vm: &Arc<VmFd>, message: Message) -> Outcome<Fire> {
    let composer = Composer {
        addressing: Addressing::Xapic,
        device_ids: false,
    };
    let mut routes = pins();
    routes.push(composer.route(PINS, RequesterId(0), message)?);
    let routes = KvmIrqRouting::from_entries(&routes).map_err(|error| format!("{error:?}"))?;
    vm.set_gsi_routing(&routes)?;
    let eventfd = EventFd::new(EFD_NONBLOCK)?;
    vm.register_irqfd(&eventfd, PINS)?;
    Ok(Fire {
        fire: Box::new(move || Ok(eventfd.write(1)?)),
        forwarder: None,
    })
}

fn forwarded(vm: &Arc<VmFd>, message: Message) -> Outcome<Fire> {
    let before = threads()?;
    let vector = Vector::new(vm, Some(PINS), message)?;
    vector.device.eventfd(0)?;
    let mut new = threads()?;
    new.retain(|thread| !before.contains(thread));
    let [forwarder] = new
        .try_into()
        .map_err(|new| format!("one thread forwards, and {new:?} were started"))?;
    vector.written(Some(forwarder))
}

fn promoted(vm: &Arc<VmFd>, message: Message) -> Outcome<Fire> {
    let vector = Vector::new(vm, None, message)?;
    vector.device.eventfd(0)?;
    vector.device.want_routes();
    wait_promoted(&vector.interrupts, 1)?;
    vector.written(None)
}
