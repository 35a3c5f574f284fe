// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's vCPUs as a remap unit reaches them.

use ims::message::{Addressing, Compatibility, DeliveryMode, Destination, RequesterId, Trigger};
use ims::sink::{Answer, CpuSink, MessageSink, Refusal};
use kvm_ioctls::VmFd;

use crate::signal::Signal;
use crate::vm::Vm;

/// The vCPUs of a VM, by APIC id: put it behind [`ims::remap::Unit`], or send to it
/// what was decided elsewhere.
///
/// An id above 254 needs `KVM_CAP_X2APIC_API`, and a sender that composes for
/// [`Addressing::Extended`] or [`Addressing::X2apic`].
#[derive(Debug)]
pub struct Vcpus<V = VmFd> {
    signal: Signal<V>,
}

impl<V> Clone for Vcpus<V> {
    fn clone(&self) -> Self {
        Self {
            signal: self.signal.clone(),
        }
    }
}

impl<V: Vm> Vcpus<V> {
    /// vCPUs that `signal` reaches.
    pub fn new(signal: Signal<V>) -> Self {
        Self { signal }
    }

    /// Where its messages go, and their counts.
    pub fn signal(&self) -> &Signal<V> {
        &self.signal
    }

    /// The message that reaches `destination`.
    fn addressing(&self) -> Addressing {
        self.signal.composer().addressing
    }
}

impl<V: Vm> CpuSink for Vcpus<V> {
    fn deliver(&self, destination: Destination, vector: u8, mode: DeliveryMode) -> Answer {
        let message = Compatibility {
            destination,
            delivery: mode,
            trigger: Trigger::Edge,
            vector,
        };
        match message.encode(self.addressing()) {
            // The vCPU does not ask who sent what a remap unit has checked.
            Ok(message) => self.signal.send(RequesterId(0), message),
            Err(_) => Answer::Refused(Refusal::NoSuchCpu),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
