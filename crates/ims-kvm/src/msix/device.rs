// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device's face: what its guest reads and writes, and its vectors.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use ims::domain::Counts;
use ims::message::RequesterId;
use ims::msix::layout::{CAPABILITY_BYTES, ENABLE, FUNCTION_MASK, WRITABLE_BYTE};
use ims::msix::{ConfigError, Msix, MsixConfig, MsixPort, MsixState, RestoreError, VectorView};
use kvm_ioctls::VmFd;
use vmm_sys_util::eventfd::EventFd;

use super::source::Source;
use super::span;
use super::trigger::{NoSuchVector, Trigger};
use crate::error::LineError;
use crate::interrupts::Interrupts;
use crate::lines::Lines;
use crate::signal::Signal;
use crate::vm::Vm;

/// The MSI-X of one device of a VM, as its guest programs it. Made by
/// [`Interrupts::msix`].
///
/// Offsets are those within the capability, the table and the pending-bit array, as
/// for [`Msix`]: any size and alignment; what lies outside reads as zero, and writes
/// there are ignored. Nothing a guest writes can fail.
///
/// A vector costs 64 bytes; no descriptor, GSI or thread, until it is asked for its
/// eventfd.
///
/// # Concurrency
/// Reads are `&self`, writes `&mut self`; raisers and eventfds go on meanwhile. It is
/// `Send` and `Sync`: the device has it, and no lock around it but the device's own.
///
/// Dropping it unplugs it: its eventfds raise nothing any more, its GSIs are free, its
/// routes leave KVM's table with the next commit, and triggers that are left over send
/// nothing. Others' interrupts do not notice.
pub struct MsixDevice<V: Vm = VmFd> {
    pub(super) msix: Msix<Signal<V>>,
    pub(super) lines: Lines<V>,
}

impl<V: Vm> fmt::Debug for MsixDevice<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MsixDevice")
            .field("config", self.config())
            .field("enabled", &self.enabled())
            .field("function_masked", &self.function_masked())
            .finish_non_exhaustive()
    }
}

impl<V: Vm> Interrupts<V> {
    /// The MSI-X of a device, in reset state. Its messages are sent as `requester`'s.
    ///
    /// # Errors
    /// The configuration cannot be shown in a capability.
    pub fn msix(
        &self,
        config: MsixConfig,
        requester: RequesterId,
    ) -> Result<MsixDevice<V>, ConfigError> {
        let msix = Msix::new(config, requester, self.signal())?;
        let lines = self.lines(Arc::new(Source(msix.port())), config.vectors.into());
        Ok(MsixDevice { msix, lines })
    }
}

impl<V: Vm> MsixDevice<V> {
    /// What it was made with.
    pub fn config(&self) -> &MsixConfig {
        self.msix.config()
    }

    /// The capability as it stands; its next pointer is zero.
    pub fn capability(&self) -> [u8; CAPABILITY_BYTES] {
        self.msix.capability()
    }

    /// Whether the guest has enabled MSI-X.
    pub fn enabled(&self) -> bool {
        self.msix.enabled()
    }

    /// Whether the guest has masked the whole function.
    pub fn function_masked(&self) -> bool {
        self.msix.function_masked()
    }

    /// How `vector` stands; `None` if there is no such vector.
    pub fn vector(&self, vector: u16) -> Option<VectorView> {
        self.msix.vector(vector)
    }

    /// What became of the raises of `vector`, as [`Trigger::counts`].
    pub fn counts(&self, vector: u16) -> Option<Counts> {
        self.msix.port().counts(vector)
    }

    /// Reads the capability from byte `offset` of it.
    pub fn read_config(&self, offset: u16, into: &mut [u8]) {
        self.msix.read_config(offset, into);
    }

    /// Writes the capability from byte `offset` of it. If that enables MSI-X or
    /// unmasks the function, what is pending is sent, and all of the device's eventfds
    /// are given routes, in one commit that does not keep the caller waiting. If it
    /// does neither, nor the reverse, no eventfd is touched.
    pub fn write_config(&mut self, offset: u16, from: &[u8]) {
        match self.opened_by(offset, from) {
            // What was held back is let go in one step for each vector, so nobody
            // needs to be kept from attaching its eventfd.
            Some(true) if !self.is_open() => {
                self.msix.write_config(offset, from);
                self.lines.want_routes();
            }
            Some(false) if self.is_open() => {
                let _held = self.lines.hold(self.all());
                self.msix.write_config(offset, from);
            }
            _ => self.msix.write_config(offset, from),
        }
    }

    /// Reads the table from byte `offset` of it.
    pub fn read_table(&self, offset: u64, into: &mut [u8]) {
        self.msix.read_table(offset, into);
    }

    /// Writes the table from byte `offset` of it. No route is changed here, so it
    /// takes no longer however many vectors the VM has: an eventfd of a vector that
    /// this unmasks is forwarded, or attached to a route that stands already.
    pub fn write_table(&mut self, offset: u64, from: &[u8]) {
        let touched = span::of_table(offset, from.len(), self.config().vectors);
        let _held = self.lines.hold(touched);
        self.msix.write_table(offset, from);
    }

    /// Reads the pending-bit array from byte `offset` of it. What has been written to
    /// the eventfds of these vectors is in it.
    pub fn read_pba(&self, offset: u64, into: &mut [u8]) {
        let vectors = self.config().vectors;
        self.lines.drain(span::of_pba(offset, into.len(), vectors));
        self.msix.read_pba(offset, into);
    }

    /// Reset state. What is pending, also in eventfds, is dropped and counted so; the
    /// eventfds stay.
    pub fn reset(&mut self) {
        let _held = self.lines.hold(self.all());
        self.lines.drain(self.all());
        self.msix.reset();
    }

    /// The state now, with what has been written to eventfds and not been sent. Stop
    /// the device first, and save its interrupts before the vCPUs' APICs: what is not
    /// in one is then in the other.
    pub fn save(&self) -> MsixState {
        self.lines.drain(self.all());
        self.msix.save()
    }

    /// Takes over a saved state, whatever this one was. All of the device's eventfds
    /// want routes then: restore all devices inside one [`crate::Batch`], whose commit
    /// is the only one.
    ///
    /// # Errors
    /// The state is none that this device can have; nothing changed.
    pub fn restore(&mut self, state: &MsixState) -> Result<(), RestoreError> {
        let held = self.lines.hold(self.all());
        self.msix.restore(state)?;
        drop(held);
        self.lines.want_routes();
        Ok(())
    }

    /// What the device raises `vector` with.
    ///
    /// # Errors
    /// There is no such vector.
    pub fn trigger(&self, vector: u16) -> Result<Trigger<V>, NoSuchVector> {
        self.check(vector)?;
        Ok(Trigger::new(self.port(), vector))
    }

    /// Raises any of its vectors, as triggers do.
    pub fn port(&self) -> MsixPort<Signal<V>> {
        self.msix.port()
    }

    /// The eventfd of `vector`, made when first asked for: for whoever is to raise it
    /// from elsewhere (vhost, VFIO, another process). Needed by no other.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn eventfd(&self, vector: u16) -> Result<Arc<EventFd>, LineError> {
        self.lines.eventfd(vector.into())
    }

    /// Takes an eventfd made elsewhere as that of `vector`.
    ///
    /// # Errors
    /// [`LineError`]; the one before stays.
    pub fn accept_eventfd(&self, vector: u16, eventfd: EventFd) -> Result<(), LineError> {
        self.lines.accept(vector.into(), eventfd)
    }

    /// Gives up the eventfd of `vector`; what was written to it is raised first.
    pub fn close_eventfd(&self, vector: u16) {
        self.lines.close(vector.into());
    }

    /// Asks for routes for all of the device's eventfds, in one commit soon, or in the
    /// batch that is open. Enabling, unmasking the function and restoring do so.
    pub fn want_routes(&self) {
        self.lines.want_routes();
    }

    pub(super) fn check(&self, vector: u16) -> Result<(), NoSuchVector> {
        let vectors = self.config().vectors;
        if vector < vectors {
            Ok(())
        } else {
            Err(NoSuchVector { vector, vectors })
        }
    }

    fn all(&self) -> Range<u32> {
        0..self.config().vectors.into()
    }

    /// Whether vectors that are not masked themselves send.
    fn is_open(&self) -> bool {
        self.enabled() && !self.function_masked()
    }

    /// Whether they would after this write; `None` if it writes none of these bits.
    fn opened_by(&self, offset: u16, from: &[u8]) -> Option<bool> {
        let at = WRITABLE_BYTE.checked_sub(usize::from(offset))?;
        let control = u16::from_le_bytes([0, *from.get(at)?]);
        Some(control & (ENABLE | FUNCTION_MASK) == ENABLE)
    }
}

impl<V: Vm> Drop for MsixDevice<V> {
    /// Triggers that are left over find every vector masked; the lines go by
    /// themselves.
    fn drop(&mut self) {
        let _held = self.lines.hold(self.all());
        self.msix.reset();
    }
}
