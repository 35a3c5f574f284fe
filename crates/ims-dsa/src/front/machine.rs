// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What registers and portals govern.

use std::sync::Arc;

use ims_vfio::Hold;

use crate::client::{InterruptTable, Pasid};
use crate::config::DeviceConfig;
use crate::errors::ErrorLog;
use crate::layout::command::CommandError;
use crate::memory::AddressSpace;
use crate::work_queue::WorkQueue;

/// What registers and portals govern: the engines, the interrupts and the memory
/// of one function. A physical function makes engines of its own as it is
/// enabled; a virtual device has a queue on somebody else's.
///
/// # Concurrency
/// Called from the transport's thread, from engines' threads and from whoever
/// drops the last clone of a [`Hold`]. None may wait. No lock of the front is held
/// around a call, so each may call back.
pub trait Machine: Send + Sync + 'static {
    /// Whether bus mastering is on.
    fn bus_mastering(&self) -> bool;

    /// Raises the miscellaneous interrupt, MSI-X vector 0.
    fn raise_misc(&self);

    /// The client's memory for one piece of work that begins now: a submission, an
    /// event log entry. `None` while the device may not touch it.
    fn memory(&self) -> Option<Arc<dyn AddressSpace>>;

    /// The device is enabled: makes engines for `config`, whose queues are numbered
    /// as WQCFG numbers them and are all disabled. Errors go to `log`.
    ///
    /// # Errors
    /// The command's end; nothing was made.
    fn start(&self, config: &DeviceConfig, log: Arc<dyn ErrorLog>) -> Result<(), CommandError>;

    /// The device is disabled, halted or reset: all descriptors are given up and
    /// engines end; they keep clones of `hold`. Harmless if it was not started.
    fn stop(&self, hold: Hold);

    /// Work queue `queue` of those started.
    fn queue(&self, queue: u32) -> Option<WorkQueue>;

    /// As whom queue `queue` submits: what WQCFG says, where a guest may say it.
    fn submitter(&self, configured: Option<Pasid>) -> Option<Pasid> {
        configured
    }

    /// Which table a handle names that came through a portal of `table`.
    fn table(&self, table: InterruptTable) -> InterruptTable {
        table
    }

    /// Request Interrupt Handle: the handle of entry `index` of `table`, the same
    /// each time until it is released or revoked.
    ///
    /// # Errors
    /// [`CommandError::InvalidInterrupt`], [`CommandError::NoHandle`].
    fn request_handle(&self, table: InterruptTable, index: u16) -> Result<u16, CommandError>;

    /// Release Interrupt Handle.
    ///
    /// # Errors
    /// [`CommandError::InvalidInterrupt`].
    fn release_handle(&self, table: InterruptTable, handle: u16) -> Result<(), CommandError>;

    /// Reads the aligned word at `offset` of what lies in BAR 0 beside registers and
    /// configuration: MSI-X permissions, MSI-X table and pending bits, Interrupt
    /// Message Store. `offset` is the one in BAR 0.
    fn read_word(&self, offset: u64) -> u32;

    /// Writes the aligned word at `offset`, as [`Machine::read_word`].
    fn write_word(&self, offset: u64, value: u32);

    /// The device was reset: handles, permissions and stores as after power-on.
    fn reset(&self);
}
