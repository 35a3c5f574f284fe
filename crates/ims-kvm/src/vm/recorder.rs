// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VM that writes down which messages it is sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use std::sync::{Condvar, Mutex};

use kvm_bindings::{kvm_irq_routing_entry, kvm_msi};
use rustix::io::Errno;
use vmm_sys_util::eventfd::EventFd;

use super::Vm;

/// A message as KVM is given it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) address: u64,
    pub(crate) data: u32,
}

impl Sent {
    pub(crate) fn vector(self) -> u8 {
        self.data as u8
    }
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    sent: Mutex<Vec<Sent>>,
    gate: Mutex<Gate>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Gate {
    closed: bool,
    waiting: u32,
}

impl Recorder {
    /// What was sent since the last time.
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// The vectors of it.
    pub(crate) fn vectors(&self) -> Vec<u8> {
        self.take().into_iter().map(Sent::vector).collect()
    }

    /// Keeps every message in the call, until the gate is opened.
    pub(crate) fn close_gate(&self) {
        self.gate.lock().unwrap().closed = true;
    }

    pub(crate) fn open_gate(&self) {
        self.gate.lock().unwrap().closed = false;
        self.moved.notify_all();
    }

    /// Until so many are kept in the call.
    pub(crate) fn wait_for(&self, waiting: u32) {
        let gate = self.gate.lock().unwrap();
        drop(
            self.moved
                .wait_while(gate, |gate| gate.waiting < waiting)
                .unwrap(),
        );
    }
}

impl Vm for Recorder {
    fn signal(&self, message: kvm_msi) -> Result<bool, Errno> {
        let mut gate = self.gate.lock().unwrap();
        if gate.closed {
            gate.waiting += 1;
            self.moved.notify_all();
            gate = self.moved.wait_while(gate, |gate| gate.closed).unwrap();
            gate.waiting -= 1;
        }
        drop(gate);
        self.sent.lock().unwrap().push(Sent {
            address: u64::from(message.address_hi) << 32 | u64::from(message.address_lo),
            data: message.data,
        });
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
