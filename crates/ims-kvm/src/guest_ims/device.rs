// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One device's store, as its guest programs it.

use std::fmt;

use ims::guest::{Port, RestoreError, SlotView, Store, StoreError, StoreState, access};
use ims::message::RequesterId;
use kvm_ioctls::VmFd;

use super::bar::{Part, pieces};
use super::layout::store::{CONTROL, COUNT, IDENTITY, MAGIC, REQUESTER, SLOTS, SYNC};
use super::layout::{self, ENABLE, VERSION, halves};
use super::port::GuestPort;
use super::remap::{GuestRemap, GuestUnit};
use crate::interrupts::Interrupts;
use crate::lines::Lines;
use crate::sync::Mutex;
use crate::vm::Vm;

/// A store for the guest of one device: its BAR, and the port that raises slots.
///
/// # Concurrency
/// Any thread, also several vCPUs at once: accesses take a lock of the store's own,
/// which no raiser ever takes. An access returns with its effect; one that unmasks
/// has sent what was pending.
pub struct GuestIms<V: Vm = VmFd> {
    store: Mutex<Store<GuestUnit<V>>>,
    port: Port<GuestUnit<V>>,
    remap: GuestRemap<V>,
}

impl<V: Vm> fmt::Debug for GuestIms<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestIms")
            .field("requester", &self.requester())
            .field("slots", &self.slots())
            .finish_non_exhaustive()
    }
}

impl<V: Vm> GuestIms<V> {
    pub(super) fn new(
        remap: GuestRemap<V>,
        unit: GuestUnit<V>,
        requester: RequesterId,
        slots: u32,
    ) -> Result<Self, StoreError> {
        let store = Store::new(slots, requester, unit)?;
        Ok(Self {
            port: store.port(),
            store: Mutex::new(store),
            remap,
        })
    }

    /// What raises its slots.
    pub fn port(&self) -> GuestPort<V> {
        GuestPort::new(self.port.clone(), self.remap.clone())
    }

    /// Eventfds for its slots, made when asked for: for vhost, VFIO, another process.
    /// Each is forwarded, whatever it fires: only the unit may say where it goes.
    pub fn lines(&self, interrupts: &Interrupts<V>) -> Lines<V> {
        interrupts.lines(std::sync::Arc::new(self.port()), self.slots())
    }

    /// The unit behind it.
    pub fn remap(&self) -> &GuestRemap<V> {
        &self.remap
    }

    /// Who the device is to the unit.
    pub fn requester(&self) -> RequesterId {
        self.port.requester()
    }

    /// How many slots there are.
    pub fn slots(&self) -> u32 {
        self.port.count()
    }

    /// Bytes of the BAR: a power of two.
    pub fn bar_bytes(&self) -> u64 {
        let slots = u64::from(self.slots()).saturating_mul(layout::SLOT_BYTES.into());
        // Slots take at most 16 MiB.
        layout::SLOTS.saturating_add(slots).next_power_of_two()
    }

    /// Whether the guest has enabled it.
    pub fn enabled(&self) -> bool {
        self.store.lock().enabled()
    }

    /// How a slot stands; `None` if there is none.
    pub fn slot(&self, slot: u32) -> Option<SlotView> {
        self.store.lock().slot(slot)
    }

    /// The guest reads the BAR from byte `offset`: any size and alignment.
    pub fn read(&self, offset: u64, into: &mut [u8]) {
        let length = into.len();
        // What is in no part reads as zero.
        into.fill(0);
        for (part, at, bytes) in pieces(offset, length) {
            let Some(into) = into.get_mut(bytes) else {
                return;
            };
            match part {
                Part::Store => access::read(at, into, |number| self.word(number)),
                Part::Remap => self.remap.read(at, into),
                Part::Slots => self.store.lock().read(at, into),
            }
        }
    }

    /// The guest writes the BAR from byte `offset`: any size and alignment.
    ///
    /// A write of sync returns when no raise is under way that began before. Never
    /// write from inside a [`Vm`] that is being called.
    pub fn write(&self, offset: u64, from: &[u8]) {
        for (part, at, bytes) in pieces(offset, from.len()) {
            let Some(from) = from.get(bytes) else {
                return;
            };
            match part {
                Part::Store => self.write_registers(at, from),
                Part::Remap => self.remap.write(at, from),
                Part::Slots => self.change(|store| store.write(at, from)),
            }
        }
    }

    /// Reset state: disabled, all slots masked and without message. What was pending
    /// is dropped. The unit is not reset, for it has other devices.
    pub fn reset(&self) {
        self.store.lock().reset();
    }

    /// The state now; stop the device first.
    pub fn save(&self) -> StoreState {
        self.store.lock().save()
    }

    /// Takes over a saved state. Restore the unit first ([`GuestRemap::restore`]).
    ///
    /// # Errors
    /// The state is none that this store can have; nothing changed.
    pub fn restore(&self, state: &StoreState) -> Result<(), RestoreError> {
        self.change(|store| store.restore(state))
    }

    /// A change that may send what was pending: a raise like others.
    fn change<T>(&self, change: impl FnOnce(&mut Store<GuestUnit<V>>) -> T) -> T {
        let mut store = self.store.lock();
        let _visit = self.remap.enter();
        change(&mut store)
    }

    fn write_registers(&self, offset: u64, from: &[u8]) {
        access::write(offset, from, COUNT, |number, lanes| match number {
            CONTROL => self.change(|store| {
                let control = lanes.merge(if store.enabled() { ENABLE } else { 0 });
                store.set_enabled(control & ENABLE != 0);
            }),
            SYNC => self.remap.sync(),
            _ => {}
        });
    }

    fn word(&self, number: u64) -> Option<u64> {
        let place = |offset| u32::try_from(offset).unwrap_or(0);
        Some(match number {
            IDENTITY => halves(MAGIC, VERSION),
            SLOTS => halves(self.slots(), place(layout::SLOTS)),
            REQUESTER => halves(self.requester().0.into(), place(layout::REMAP)),
            CONTROL if self.enabled() => ENABLE,
            _ => return None,
        })
    }
}
