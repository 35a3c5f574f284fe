// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What software sees of a device: registers, tables and portals.
//!
//! ```text
//!   BAR 0 ──▶ registers ─▶ commands ──▶ Machine: engines, handles     a Hold each:
//!              ▲   ▲          ▲                        │               CMDSTATUS
//!              │   └ causes   └────────── ended ───────┘               when dropped
//!   SWERROR, event log ◀── errors of descriptors
//!   BAR 2 ──▶ portals: 8-byte stores ─▶ 64 bytes ─▶ queue of the Machine
//! ```
//!
//! A [`Front`] knows no bus and makes no thread. Who makes one says what it
//! [announces](Parameters) and gives the [`Machine`] it governs.
//!
//! | room | holds |
//! |---|---|
//! | `capabilities`, `configuration`, `software_error`, `event_log`, `cause` | registers, each its own rules of access |
//! | `registers` | which register an access is about |
//! | `check` | what Enable Device and Enable Queue refuse |
//! | `command`, `device_commands`, `queue_commands`, `handle_commands` | what commands do |
//! | `in_flight` | what has begun and may go on after a reset |
//! | `halt` | the device stops by an error |
//! | `report` | errors of descriptors find their register |
//! | `portals`, `slot` | stores become descriptors |

mod capabilities;
mod cause;
mod check;
mod command;
mod configuration;
mod configured;
mod device_commands;
mod event_log;
mod halt;
mod handle_commands;
mod in_flight;
mod machine;
pub mod map;
mod parameters;
mod portals;
mod queue_commands;
mod registers;
mod report;
mod slot;
mod software_error;
mod state;
mod status;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ims_vfio::Hold;

pub use configured::Configured;
pub use machine::Machine;
pub use parameters::{ParameterError, Parameters};
pub use status::{FrontStatus, QueueStatus};

use portals::Portals;
use state::State;

/// Registers, tables and portals of one function.
///
/// # Concurrency
/// All methods on any thread; none waits for engines. Accesses of one client come
/// from one thread, as they do from a bus: two threads that store to the same 64
/// bytes of a portal at once mix their descriptors, as they would there.
///
/// No lock is held around a call of the [`Machine`], nor while a [`Hold`] is
/// dropped.
pub struct Front {
    parameters: Parameters,
    machine: Arc<dyn Machine>,
    state: Mutex<State>,
    portals: Portals,
    /// For what ends later: holds and logs that engines keep.
    this: Weak<Front>,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Front {
    /// A front in the state after power-on: disabled.
    ///
    /// A device that is not [`configurable`](Parameters::configurable) has
    /// `configured` in its group and queue registers, read-only; a configurable one
    /// ignores it.
    ///
    /// # Errors
    /// [`ParameterError`]: registers cannot say that.
    pub fn new(
        parameters: Parameters,
        machine: Arc<dyn Machine>,
        configured: Option<Configured>,
    ) -> Result<Arc<Self>, ParameterError> {
        parameters.check()?;
        let configured = if parameters.configurable {
            None
        } else {
            let given = configured.ok_or(ParameterError::NotConfigured)?;
            given.check(&parameters)?;
            Some(given)
        };
        Ok(Arc::new_cyclic(|this| Self {
            state: Mutex::new(State::new(&parameters, configured.as_ref())),
            portals: Portals::new(parameters.queues),
            parameters,
            machine,
            this: Weak::clone(this),
        }))
    }

    /// What it announces.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Reads BAR 0 at `offset`, any length. What is reserved, or beyond the end,
    /// reads as zeros.
    ///
    /// Aligned 8 bytes of a register are read at one moment.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        self.read_registers(offset, data);
    }

    /// Writes BAR 0 at `offset`, any length. Bits that are read-only now are left
    /// as they are. A command begins with a store of all four bytes of CMD.
    pub fn write(&self, offset: u64, data: &[u8]) {
        self.write_registers(offset, data);
    }

    /// A store to BAR 2 at `offset`. (Portals are write-only: a read of BAR 2 has
    /// no meaning, and is for the bus to answer with ones.)
    ///
    /// A descriptor is taken when all its 64 bytes have come, in whatever pieces and
    /// order. A piece that repeats bytes begins the descriptor anew.
    pub fn store(&self, offset: u64, data: &[u8]) {
        self.store_portals(offset, data);
    }

    /// Function-level reset, or the client's: all is as after power-on when this
    /// returns. Engines that have not let go of earlier work keep clones of `hold`;
    /// until they have, Enable Device does not complete.
    pub fn reset(&self, hold: Hold) {
        self.reset_function(hold);
    }

    /// Bus mastering went off. If the device is enabled, that is error 0x51 in
    /// SWERROR, and it halts until a function-level reset; its descriptors are given
    /// up.
    pub fn bus_master_off(&self) {
        self.halt_by_bus_master();
    }

    /// Interrupt handles were revoked: software must request them anew.
    pub fn handles_revoked(&self) {
        self.raise(crate::layout::registers::cause::HANDLES_REVOKED);
    }

    /// Waits for all descriptors taken so far: engines that have not ended them keep
    /// clones of `hold`. What is submitted later is taken as ever.
    pub fn drain(&self, hold: Hold) {
        let queues = self.lock().enabled_queues();
        for queue in queues {
            queue.drain(hold.clone());
        }
    }

    /// The state now, for people.
    pub fn status(&self) -> FrontStatus {
        self.status_now()
    }

    /// A thread that panicked in here left whole words behind: nothing is changed in
    /// two steps that a register could show apart.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
