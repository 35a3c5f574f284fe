// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control half: hands out entries, binds them, moves them, takes them back.

use super::Shared;
use super::control_error::ControlError;
use super::entry::{Entry, Irte, Target};
use super::fault::FaultLog;
use super::invalidate::{Invalidate, NoInvalidate};
use super::modes::{Modes, SharedModes};
use super::source::Source;
use super::table::{EntryMemory, TableError};
use super::unit::Unit;
use crate::bitmap::Bitmap;
use alloc::sync::Arc;

/// The control half of a remap unit. There is one for each table.
///
/// An entry's way is allocate, bind, retarget as often as wanted, clear, wait,
/// release; what is out of turn is an error and changes nothing. Between clear
/// and release (or another bind) the caller waits until no raiser can still hold
/// the old entry ([`crate::grace`]): a handle carries no generation here, its
/// holder (the domain) does.
///
/// # Errors
/// Every operation leaves table and handles as they were when it fails, but for
/// [`ControlError::Invalidate`]: then the entry is written, and only its old
/// value may linger in hardware. Such a handle can be neither bound nor released
/// until an invalidation succeeds ([`Control::invalidate`]).
#[derive(Debug)]
pub struct Control<M, I = NoInvalidate> {
    shared: Arc<Shared<M>>,
    invalidate: I,
    /// Handles from here on were never handed out.
    fresh: u32,
    /// Handles below `fresh` that were given back.
    free: Bitmap,
    /// Handles whose old entry may linger in hardware.
    lingering: Bitmap,
    /// How many entries the memory has room for.
    room: u32,
}

impl<M: EntryMemory, I: Invalidate> Control<M, I> {
    /// A unit over an empty table, with fault records up to the index
    /// `last_record` ([`FaultLog::new`]).
    ///
    /// # Errors
    /// [`TableError::Full`] if `modes` promises more entries than `memory` can
    /// grow to.
    pub fn new(
        memory: M,
        modes: Modes,
        last_record: u8,
        invalidate: I,
    ) -> Result<Self, ControlError> {
        fits(&memory, modes)?;
        Ok(Self {
            shared: Arc::new(Shared {
                memory,
                modes: SharedModes::new(modes),
                faults: FaultLog::new(last_record),
            }),
            invalidate,
            fresh: 0,
            free: Bitmap::new(),
            lingering: Bitmap::new(),
            room: 0,
        })
    }

    /// A data half that delivers to `cpus` and posts into `descriptors`.
    pub fn unit<C, D>(&self, cpus: C, descriptors: D) -> Unit<M, C, D> {
        Unit::new(self.shared.clone(), cpus, descriptors)
    }

    /// The unit's fault records and counts.
    pub fn faults(&self) -> &FaultLog {
        &self.shared.faults
    }

    /// The modes it works in.
    pub fn modes(&self) -> Modes {
        self.shared.modes.load()
    }

    /// How many handles are allocated.
    pub fn allocated(&self) -> u32 {
        self.fresh - self.free.len()
    }

    /// Sets the modes; messages sent from now on meet them.
    ///
    /// # Errors
    /// [`ControlError::ModeInUse`], [`ControlError::TableInUse`], or
    /// [`TableError::Full`] as for [`Control::new`].
    pub fn set_modes(&mut self, modes: Modes) -> Result<(), ControlError> {
        fits(&self.shared.memory, modes)?;
        if modes.extended() != self.modes().extended() && self.allocated() != 0 {
            return Err(ControlError::ModeInUse);
        }
        let entries = modes.entries();
        if entries < self.fresh {
            return Err(ControlError::TableInUse {
                entries,
                needed: self.fresh,
            });
        }
        self.shared.modes.store(modes);
        Ok(())
    }

    /// Hands out the lowest free handle; its entry is not present.
    ///
    /// # Errors
    /// [`TableError::Full`] if every entry of the table is handed out.
    pub fn allocate(&mut self) -> Result<u32, ControlError> {
        if let Some(handle) = self.free.pop_first() {
            return Ok(handle);
        }
        let (handle, limit) = (self.fresh, self.modes().entries());
        if handle >= limit {
            return Err(TableError::Full { limit }.into());
        }
        if handle >= self.room {
            self.room = self.shared.memory.grow(handle + 1)?;
        }
        self.fresh = handle + 1;
        Ok(handle)
    }

    /// Makes an entry present: requests of `source` go to `target`.
    ///
    /// # Errors
    /// [`ControlError::Present`] if it already is;
    /// [`ControlError::Lingering`], [`ControlError::Entry`],
    /// [`ControlError::Table`], [`ControlError::Invalidate`].
    pub fn bind(
        &mut self,
        handle: u32,
        source: Source,
        target: Target,
    ) -> Result<(), ControlError> {
        let old = self.absent(handle)?;
        let entry = Entry {
            source,
            fpd: old.fault_processing_disabled(),
            target,
        };
        self.write(handle, entry.encode(self.modes().apic_mode())?)
    }

    /// Has a present entry lead elsewhere: one write of one entry.
    ///
    /// A raiser that read the entry before may still reach the old target; who
    /// gives that away waits first ([`crate::grace`]).
    ///
    /// # Errors
    /// [`ControlError::NotPresent`], [`ControlError::Entry`],
    /// [`ControlError::Table`], [`ControlError::Invalidate`].
    pub fn retarget(&mut self, handle: u32, target: Target) -> Result<(), ControlError> {
        let old = self.present(handle)?;
        self.write(handle, old.retargeted(target, self.modes().apic_mode())?)
    }

    /// Makes an entry not present: requests that name it are blocked (22h).
    ///
    /// # Errors
    /// [`ControlError::NotPresent`], [`ControlError::Table`],
    /// [`ControlError::Invalidate`].
    pub fn clear(&mut self, handle: u32) -> Result<(), ControlError> {
        let old = self.present(handle)?;
        self.write(handle, old.cleared())
    }

    /// Takes a handle back. The caller has waited since it cleared the entry.
    ///
    /// # Errors
    /// [`ControlError::Present`], [`ControlError::Lingering`],
    /// [`ControlError::Table`], [`ControlError::Invalidate`].
    pub fn release(&mut self, handle: u32) -> Result<(), ControlError> {
        let old = self.absent(handle)?;
        if old.fault_processing_disabled() {
            self.write(handle, Irte::default())?;
        }
        self.free.insert(handle);
        Ok(())
    }

    /// Sets FPD: whether qualified faults of this entry go unrecorded. It stays
    /// until the handle is released, whether the entry is present or not.
    ///
    /// # Errors
    /// [`ControlError::NotAllocated`], [`ControlError::Table`],
    /// [`ControlError::Invalidate`].
    pub fn set_fault_processing_disabled(
        &mut self,
        handle: u32,
        disabled: bool,
    ) -> Result<(), ControlError> {
        let old = self.entry(handle)?;
        self.write(handle, old.with_fault_processing_disabled(disabled))
    }

    /// Invalidates an entry's old value again, after
    /// [`ControlError::Invalidate`].
    ///
    /// # Errors
    /// [`ControlError::NotAllocated`], [`ControlError::Invalidate`].
    pub fn invalidate(&mut self, handle: u32) -> Result<(), ControlError> {
        self.entry(handle)?;
        self.flush(handle)
    }

    /// Whether an old value of the entry may still be in use: its last
    /// invalidation failed.
    pub fn lingers(&self, handle: u32) -> bool {
        self.lingering.contains(handle)
    }

    /// The entry of an allocated handle, as it stands in the table.
    ///
    /// # Errors
    /// [`ControlError::NotAllocated`], [`ControlError::Table`].
    pub fn entry(&self, handle: u32) -> Result<Irte, ControlError> {
        if handle >= self.fresh || self.free.contains(handle) {
            return Err(ControlError::NotAllocated { handle });
        }
        let raw = self
            .shared
            .memory
            .read(handle)
            .ok_or(TableError::NoSuchEntry { handle })?;
        Ok(Irte(raw))
    }

    fn present(&self, handle: u32) -> Result<Irte, ControlError> {
        let entry = self.entry(handle)?;
        if entry.is_present() {
            Ok(entry)
        } else {
            Err(ControlError::NotPresent { handle })
        }
    }

    /// An entry that may be reused: not present, in nobody's cache.
    fn absent(&self, handle: u32) -> Result<Irte, ControlError> {
        let entry = self.entry(handle)?;
        if entry.is_present() {
            return Err(ControlError::Present { handle });
        }
        if self.lingering.contains(handle) {
            return Err(ControlError::Lingering { handle });
        }
        Ok(entry)
    }

    fn write(&mut self, handle: u32, entry: Irte) -> Result<(), ControlError> {
        self.shared.memory.write(handle, entry.0)?;
        self.flush(handle)
    }

    fn flush(&mut self, handle: u32) -> Result<(), ControlError> {
        let done = self.invalidate.invalidate(handle, 1);
        if done.is_err() {
            self.lingering.insert(handle);
        } else if !self.lingering.is_empty() {
            self.lingering.remove(handle);
        }
        Ok(done?)
    }
}

fn fits<M: EntryMemory>(memory: &M, modes: Modes) -> Result<(), TableError> {
    let limit = memory.limit();
    if modes.entries() > limit {
        Err(TableError::Full { limit })
    } else {
        Ok(())
    }
}
