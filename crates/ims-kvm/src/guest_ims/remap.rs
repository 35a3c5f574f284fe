// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A remap unit that the guest programs: its table in guest memory, its registers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ims::grace::{Crowd, Visit};
use ims::guest::access;
use ims::message::RequesterId;
use ims::posted::{Descriptor, Descriptors};
use ims::remap::fault_layout::FaultRecord;
use ims::remap::layout::MAX_ENTRIES;
use ims::remap::{EntryMemory, Fault, FaultCounts, Foreign, Modes, Unit};
use kvm_ioctls::VmFd;
use vm_memory::GuestAddressSpace;

use super::device::GuestIms;
use super::layout::remap::{
    CAPACITY, CONTROL, COUNT, FAULT, FAULT_HIGH, FAULT_LOW, FAULT_STATUS, FAULTS, IDENTITY, MAGIC,
    OVERFLOW, PENDING, SYNC, TABLE, TABLE_BASE, TABLE_EXTENDED, TABLE_SIZE,
};
use super::layout::{ENABLE, VERSION, halves};
use super::state::{RemapState, RemapStateError};
use super::table::GuestTable;
use crate::sync::Mutex;
use crate::vcpus::Vcpus;
use crate::vm::Vm;

/// What the VMM decides of a remap unit for its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemapOptions {
    /// Let slots name vCPUs and vectors directly, in compatibility format, also
    /// while the unit is off. It gives isolation up; destinations in entries have
    /// 8 bits then. If not, such a message is fault 25h, and with the unit off
    /// every message is fault 2Bh.
    pub compatibility: bool,
    /// The index of the last fault record: 15 for 16 of them.
    pub last_record: u8,
}

impl Default for RemapOptions {
    fn default() -> Self {
        Self {
            compatibility: false,
            last_record: 15,
        }
    }
}

/// A remap unit whose table the guest keeps in its memory. A clone is the same.
///
/// # Concurrency
/// Any thread; registers take a lock of their own, which no raiser ever takes.
///
/// # Trust
/// The guest may write what it likes, when it likes: an entry is read and checked
/// anew for each message, and can only name vCPUs of this VM, which the guest could
/// interrupt anyway. Memory that is not there is fault 23h.
pub struct GuestRemap<V: Vm = VmFd> {
    inner: Arc<Inner<V>>,
}

/// The unit in front of a guest's vCPUs.
pub(super) type GuestUnit<V> = Unit<Arc<dyn EntryMemory>, Vcpus<V>, NoDescriptors>;

struct Inner<V: Vm> {
    unit: GuestUnit<V>,
    options: RemapOptions,
    /// Where the table is, as the unit reads it.
    base: Arc<AtomicU64>,
    crowd: Crowd,
    /// One waits for the crowd at a time.
    waiting: Mutex<()>,
    registers: Mutex<Registers>,
}

/// What the guest has written, and what it has not taken yet.
struct Registers {
    unit: Foreign<Arc<dyn EntryMemory>>,
    table: u64,
    enabled: bool,
    /// Faults out of the log; the first one is in the record.
    faults: VecDeque<Fault>,
}

/// There is nothing to post into: entries lead to vCPUs.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoDescriptors;

impl Descriptors for NoDescriptors {
    fn descriptor(&self, _address: u64) -> Option<&Descriptor> {
        None
    }
}

impl<V: Vm> Clone for GuestRemap<V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<V: Vm> fmt::Debug for GuestRemap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestRemap")
            .field("options", &self.inner.options)
            .field("modes", &self.inner.unit.modes())
            .finish_non_exhaustive()
    }
}

impl<V: Vm> GuestRemap<V> {
    /// A unit in reset state over the guest's `memory`, in front of its `vcpus`.
    ///
    /// `memory` is an `Arc` of a guest memory, or one that follows hot-plug
    /// (`vm_memory::GuestMemoryAtomic`).
    pub fn new<G>(memory: G, vcpus: Vcpus<V>, options: RemapOptions) -> Self
    where
        G: GuestAddressSpace + Send + Sync + 'static,
    {
        let base = Arc::new(AtomicU64::new(0));
        let table: Arc<dyn EntryMemory> = Arc::new(GuestTable::new(memory, Arc::clone(&base)));
        let foreign = Foreign::new(table, modes(false, 0, options), options.last_record);
        Self {
            inner: Arc::new(Inner {
                unit: foreign.unit(vcpus, NoDescriptors),
                options,
                base,
                crowd: Crowd::new(),
                waiting: Mutex::default(),
                registers: Mutex::new(Registers {
                    unit: foreign,
                    table: 0,
                    enabled: false,
                    faults: VecDeque::new(),
                }),
            }),
        }
    }

    /// A store of `slots` slots for the guest of a device that is `requester` to
    /// this unit. Devices that share a requester id share each other's entries.
    ///
    /// # Errors
    /// [`ims::guest::StoreError`].
    pub fn store(
        &self,
        requester: RequesterId,
        slots: u32,
    ) -> Result<GuestIms<V>, ims::guest::StoreError> {
        GuestIms::new(self.clone(), self.inner.unit.clone(), requester, slots)
    }

    /// What it was made with.
    pub fn options(&self) -> RemapOptions {
        self.inner.options
    }

    /// Whether the guest has enabled it.
    pub fn enabled(&self) -> bool {
        self.inner.registers.lock().enabled
    }

    /// How often messages were blocked, and why.
    pub fn fault_counts(&self) -> FaultCounts {
        self.inner.unit.faults().counts()
    }

    /// Reads its registers from byte `offset` ([`super::layout`]).
    pub fn read(&self, offset: u64, into: &mut [u8]) {
        access::read(offset, into, |number| self.word(number));
    }

    /// Writes its registers from byte `offset`.
    ///
    /// A write of sync, or one that disables the unit, returns when no raise is under
    /// way that began before. Never write from inside a [`Vm`] that is being called.
    pub fn write(&self, offset: u64, from: &[u8]) {
        access::write(offset, from, COUNT, |number, lanes| match number {
            TABLE => self.inner.registers.lock().write_table(lanes),
            CONTROL => {
                let mut registers = self.inner.registers.lock();
                let control = lanes.merge(if registers.enabled { ENABLE } else { 0 });
                self.set_enabled(&mut registers, control & ENABLE != 0);
            }
            SYNC => self.sync(),
            FAULT_STATUS if lanes.merge(0) & OVERFLOW != 0 => {
                self.inner.unit.faults().clear_overflow();
            }
            FAULT_HIGH if lanes.merge(0) & FAULT != 0 => {
                self.inner.registers.lock().faults.pop_front();
            }
            _ => {}
        });
    }

    /// Waits until no raise is under way that began before.
    pub fn sync(&self) {
        let _one = self.inner.waiting.lock();
        self.inner.crowd.wait();
    }

    /// Reset state: disabled, no table, no faults recorded. Counts go on.
    pub fn reset(&self) {
        let mut registers = self.inner.registers.lock();
        self.set_enabled(&mut registers, false);
        registers.table = 0;
        while registers.latch().is_some() {
            registers.faults.pop_front();
        }
        self.inner.unit.faults().clear_overflow();
    }

    /// The state now; stop the devices first. The table is in guest memory. That
    /// faults were lost for want of a record is not part of it.
    pub fn save(&self) -> RemapState {
        let mut registers = self.inner.registers.lock();
        let records = usize::from(self.inner.options.last_record).saturating_add(1);
        while registers.faults.len() < records
            && let Some(fault) = registers.unit.faults().take()
        {
            registers.faults.push_back(fault);
        }
        let record = |fault: &Fault| fault.to_record().into_bits();
        RemapState {
            table: registers.table,
            enabled: registers.enabled,
            faults: registers.faults.iter().map(record).collect(),
        }
    }

    /// Takes over a saved state, whatever this one was. Restore the unit before the
    /// stores behind it, which may send what was pending.
    ///
    /// # Errors
    /// The state is none that a unit can have; nothing changed.
    pub fn restore(&self, state: &RemapState) -> Result<(), RemapStateError> {
        let faults = state.check()?;
        self.reset();
        let mut registers = self.inner.registers.lock();
        registers.table = state.table;
        registers.faults = faults.into();
        self.set_enabled(&mut registers, state.enabled);
        Ok(())
    }

    /// A raise begins; its entry stays what it was until this is dropped.
    pub(super) fn enter(&self) -> Visit<'_> {
        self.inner.crowd.enter()
    }

    fn set_enabled(&self, registers: &mut Registers, enabled: bool) {
        if enabled == registers.enabled {
            return;
        }
        registers.enabled = enabled;
        let table = registers.table;
        if enabled {
            // Nobody reads: it was disabled, and then all were waited for.
            self.inner.base.store(table & TABLE_BASE, Ordering::Relaxed);
        }
        let modes = modes(enabled, table, self.inner.options);
        registers.unit.set_modes(modes);
        if !enabled {
            self.sync();
        }
    }

    fn word(&self, number: u64) -> Option<u64> {
        Some(match number {
            IDENTITY => halves(MAGIC, VERSION),
            CAPACITY => {
                let records = u32::from(self.inner.options.last_record).saturating_add(1);
                halves(MAX_ENTRIES, records)
            }
            TABLE => self.inner.registers.lock().table,
            CONTROL if self.enabled() => ENABLE,
            FAULT_STATUS => {
                let pending = self.inner.registers.lock().latch().is_some();
                let status = self.inner.unit.faults().status();
                let overflow = if status.overflow() { OVERFLOW } else { 0 };
                overflow | if pending { PENDING } else { 0 }
            }
            FAULT_LOW => low(self.inner.registers.lock().record()),
            FAULT_HIGH => low(self.inner.registers.lock().record() >> 64),
            FAULTS => self.fault_counts().total(),
            _ => return None,
        })
    }
}

impl Registers {
    fn write_table(&mut self, lanes: access::Lanes) {
        if !self.enabled {
            self.table = lanes.merge(self.table) & (TABLE_SIZE | TABLE_EXTENDED | TABLE_BASE);
        }
    }

    /// The oldest fault, which stays in the record until it is cleared there.
    fn latch(&mut self) -> Option<Fault> {
        if self.faults.is_empty() {
            self.faults.extend(self.unit.faults().take());
        }
        self.faults.front().copied()
    }

    /// The record as the guest reads it.
    fn record(&mut self) -> u128 {
        self.latch()
            .map_or(FaultRecord::new(), Fault::to_record)
            .into_bits()
    }
}

/// The lower half.
fn low(wide: u128) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = wide.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// What the unit does with this table register.
fn modes(enabled: bool, table: u64, options: RemapOptions) -> Modes {
    let [size, ..] = (table & TABLE_SIZE).to_le_bytes();
    Modes::new()
        .with_remapping(enabled)
        .with_remapping_required(!options.compatibility)
        .with_compatibility(options.compatibility)
        .with_extended(table & TABLE_EXTENDED != 0 && !options.compatibility)
        .with_size(size)
}
