// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accesses that guest code makes for the host, one at a time on each vCPU.
//!
//! ```text
//!   host: access, address, value, then command = n   ── vector 0x20 ──▶  guest
//!   guest: does it, value = what it read, done = n   ── an exit ──────▶  host
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};

use ims::message::RequesterId;
use ims::sink::{Answer, MessageSink};

use super::layout::{Layout, block};
use super::memory::Memory;
use super::payload::{Access, COMMAND_VECTOR};
use super::{Machine, MachineError};

/// The host's end of a vCPU's mailbox.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    newest: Mutex<u64>,
}

/// The mailbox, while one command is under way.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    newest: MutexGuard<'a, u64>,
}

impl Mailbox {
    /// Waits for its turn.
    pub(super) fn turn(&self) -> Turn<'_> {
        // Nothing is broken if one panicked: numbers only grow.
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { newest }
    }
}

impl Turn<'_> {
    /// Writes a command and gives its number. The guest does it when it is
    /// interrupted next.
    pub(super) fn command(
        &mut self,
        memory: &Memory,
        cpu: u32,
        access: Access,
        address: u64,
        value: u64,
    ) -> u64 {
        *self.newest = self.newest.wrapping_add(1);
        let at = Layout::block(cpu);
        memory.store(at + block::ACCESS, access as u64);
        memory.store(at + block::ADDRESS, address);
        memory.store(at + block::VALUE, value);
        memory.store(at + block::COMMAND, *self.newest);
        *self.newest
    }
}

/// The newest command that the guest has done.
pub(super) fn done(memory: &Memory, cpu: u32) -> u64 {
    memory.load(Layout::block(cpu) + block::DONE)
}

/// What it read, if that was a read.
fn answer(memory: &Memory, cpu: u32) -> u64 {
    memory.load(Layout::block(cpu) + block::VALUE)
}

impl Machine {
    /// Has guest code on `cpu` write `value` to `address` (1, 2, 4 or 8 bytes), and
    /// waits until it has.
    ///
    /// Interrupts are taken meanwhile. One access at a time on each vCPU; others
    /// wait for their turn.
    ///
    /// # Errors
    /// [`MachineError`]: there is no such vCPU, it has stopped, or it stops at this
    /// because the guest has nothing at `address`.
    pub fn guest_write(
        &self,
        cpu: u32,
        address: u64,
        value: u64,
        bytes: u8,
    ) -> Result<(), MachineError> {
        let access = Access::write(bytes).ok_or(MachineError::Width { bytes })?;
        self.command(cpu, access, address, value).map(|_| ())
    }

    /// Has guest code on `cpu` read from `address`.
    ///
    /// # Errors
    /// As [`Machine::guest_write`].
    pub fn guest_read(&self, cpu: u32, address: u64, bytes: u8) -> Result<u64, MachineError> {
        let access = Access::read(bytes).ok_or(MachineError::Width { bytes })?;
        self.command(cpu, access, address, 0)
    }

    fn command(
        &self,
        cpu: u32,
        access: Access,
        address: u64,
        value: u64,
    ) -> Result<u64, MachineError> {
        let shared = &*self.shared;
        let mailbox = shared.mailbox(cpu).ok_or_else(|| shared.no_such(cpu))?;
        if shared.is_own_thread(cpu) {
            return Err(MachineError::OwnThread { cpu });
        }
        let mut turn = mailbox.turn();
        if let Some(why) = shared.why_stopped(cpu) {
            return Err(MachineError::Stopped { cpu, why });
        }
        let command = turn.command(&shared.memory, cpu, access, address, value);
        let message = self.message(cpu, COMMAND_VECTOR);
        if let Answer::Refused(_) = self.signal.send(RequesterId(0), message) {
            // It may have stopped just now, and is off with its descriptor.
            let why = shared.why_stopped(cpu);
            return Err(why.map_or(MachineError::Unreachable { cpu }, |why| {
                MachineError::Stopped { cpu, why }
            }));
        }
        shared.wait_done(cpu, command)?;
        Ok(answer(&shared.memory, cpu))
    }
}
