// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device author writes, and what they are given.

use crate::dma::Dma;
use crate::hold::Hold;
use crate::irqs::Irqs;
use crate::pci::{Config, MsixControl};
use crate::region::{AccessError, IoFd, Shared};

/// The parts of a PCI function that are the same in every device.
#[derive(Debug)]
pub struct Function {
    /// Config space: identity, BARs, capabilities, bus mastering.
    pub config: Config,
    /// The interrupts.
    pub irqs: Irqs,
    /// The client's memory.
    pub dma: Dma,
}

/// A virtual device.
///
/// # Concurrency
/// `read`, `write` and `reset` are called on the transport's thread, one at a
/// time for a client, and must not wait: not for memory that comes by message,
/// not for work. Work goes to threads of the device's own, which reach memory
/// through a [`Session`](crate::dma::Session) of [`Function::dma`] and raise
/// interrupts through [`Function::irqs`].
pub trait Device: Send + Sync + 'static {
    /// Config space, interrupts and memory.
    fn function(&self) -> &Function;

    /// Reads from BAR (or other region) `region`; the whole of `data` lies within.
    ///
    /// # Errors
    /// [`AccessError`]; the client is told its errno.
    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError>;

    /// Writes to BAR (or other region) `region`; the whole of `data` lies within.
    ///
    /// # Errors
    /// [`AccessError`]; the client is told its errno, unless it posted the write.
    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError>;

    /// Goes back to the state after power-on. Config space, interrupts and memory
    /// are reset by the caller. Whatever of the device goes on for a while keeps
    /// a clone of `hold`; the client is answered when all are dropped.
    fn reset(&self, hold: Hold) {
        drop(hold);
    }

    /// Bus mastering went on, or off: by the command register or the power state.
    /// The caller has opened or closed the memory. Called on the transport's
    /// thread.
    fn bus_master(&self, on: bool) {
        let _ = on;
    }

    /// The client enabled, disabled, masked or unmasked MSI-X as a whole;
    /// [`Config::msix`] says the same from now on. Called on the transport's thread.
    fn msix(&self, control: MsixControl) {
        let _ = control;
    }

    /// The client is gone, and its maps and triggers went with it. What it left to
    /// be done is nobody's: the device gives it up, and whatever goes on for a while
    /// keeps a clone of `hold`; the next client comes when all are dropped.
    /// Registers stay as they are, unless the device says otherwise.
    fn client_gone(&self, hold: Hold) {
        drop(hold);
    }

    /// The file that clients may map instead of asking, if `region` has one.
    fn shared(&self, region: u32) -> Option<Shared> {
        let _ = region;
        None
    }

    /// Descriptors by which a hypervisor can pass on writes to `region` itself.
    fn io_fds(&self, region: u32) -> Vec<IoFd> {
        let _ = region;
        Vec::new()
    }
}
