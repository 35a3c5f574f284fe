// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What there is to say of a virtual device.

use ims::store::Pasid;

use super::device::VirtualDevice;
use super::msix::MISCELLANEOUS;
use crate::front::QueueStatus;
use crate::layout::registers::DeviceState;

/// What a virtual device is and has done.
///
/// Taken while it works, the numbers are each right but not of one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdiReport {
    /// As whom it submits.
    pub pasid: Pasid,
    /// Its state, as its guest made it.
    pub state: AdiState,
    /// Errors that no completion record told, whether its guest saw them or not.
    pub errors: u64,
    /// Its queue.
    pub queue: QueueReport,
    /// Its MSI-X vectors, in order: vector 0, and those that have a trigger.
    pub vectors: Vec<VectorReport>,
}

/// The state of a virtual device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdiState {
    /// Its guest has not enabled it.
    Disabled,
    /// It works.
    Enabled,
    /// On the way to disabled.
    Draining,
    /// An error; it waits for a reset.
    Halted,
    /// It was destroyed.
    Destroyed,
}

impl From<DeviceState> for AdiState {
    fn from(state: DeviceState) -> Self {
        match state {
            DeviceState::Disabled => Self::Disabled,
            DeviceState::Enabled => Self::Enabled,
            DeviceState::Draining => Self::Draining,
            DeviceState::Halted => Self::Halted,
        }
    }
}

/// What a queue did since the device was composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueReport {
    /// Whether it takes descriptors.
    pub enabled: bool,
    /// Descriptors it can hold.
    pub size: u16,
    /// Descriptors in it that no engine has begun.
    pub depth: u16,
    /// Descriptors it took.
    pub submitted: u64,
    /// Descriptors it did not take: it was full, or disabled.
    pub refused: u64,
    /// Descriptors it took that an engine has ended. The others wait, are being
    /// executed, or were given up.
    pub completed: u64,
}

/// What stands behind a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VectorKind {
    /// Software raises it where it intercepts the guest.
    Emulated,
    /// An entry of the parent's Interrupt Message Store.
    Ims,
}

/// The CPU that takes an interrupt, and its vector there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The CPU, by its number among the parent's.
    pub cpu: u32,
    /// The vector.
    pub vector: u8,
}

/// One MSI-X vector. Counts begin with its entry: at its first trigger, and anew
/// when the handle was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorReport {
    /// Its number.
    pub vector: u32,
    /// What stands behind it.
    pub kind: VectorKind,
    /// Whether the client gave it a trigger.
    pub triggered: bool,
    /// Whether the guest masks it, as far as the transport shows.
    pub masked: bool,
    /// Whether an interrupt is kept.
    pub pending: bool,
    /// Its entry in the parent's store.
    pub index: Option<u32>,
    /// The interrupt handle that the guest asked for and has.
    pub handle: Option<u16>,
    /// Where it is delivered.
    pub target: Option<Target>,
    /// Attempts to raise it.
    pub raised: u64,
    /// Taken by a CPU and passed on to the trigger it had.
    pub delivered: u64,
    /// Met one that was pending already.
    pub coalesced: u64,
    /// Kept for a while; each was delivered, refused or dropped later.
    pub held: u64,
    /// Refused: another PASID's descriptor named it, or the remap unit did.
    pub faulted: u64,
    /// Lost because there was no trigger, or because the entry was freed.
    pub dropped: u64,
}

impl VirtualDevice {
    /// What it is and has done.
    pub fn report(&self) -> AdiReport {
        let status = self.status();
        let vectors = 0..u32::from(self.config().vectors);
        AdiReport {
            pasid: self.pasid(),
            state: if self.is_destroyed() {
                AdiState::Destroyed
            } else {
                status.device.into()
            },
            errors: status.errors,
            queue: self.queue_report(status.queues.first()),
            vectors: vectors.filter_map(|vector| self.vector(vector)).collect(),
        }
    }

    fn queue_report(&self, status: Option<&QueueStatus>) -> QueueReport {
        let size = self.config().queue_size;
        let completed = self.machine.completed();
        let Some(status) = status else {
            return QueueReport {
                size,
                completed,
                ..QueueReport::default()
            };
        };
        QueueReport {
            enabled: status.enabled,
            size,
            depth: u16::try_from(status.occupancy).unwrap_or(u16::MAX),
            submitted: status.submitted,
            refused: status.refused,
            completed,
        }
    }

    fn vector(&self, vector: u32) -> Option<VectorReport> {
        if vector == MISCELLANEOUS {
            return Some(self.emulated());
        }
        let irqs = &self.machine.function.irqs;
        let backed = irqs.report(vector).ok()?;
        if !backed.triggered {
            return None;
        }
        let counts = backed.slot.map(|slot| slot.counts).unwrap_or_default();
        let target = backed.slot.and_then(|slot| slot.target);
        Some(VectorReport {
            vector,
            kind: VectorKind::Ims,
            triggered: true,
            masked: backed.masked,
            pending: backed.pending,
            index: backed.slot.map(|slot| slot.index),
            handle: self.machine.handles.of(irqs, vector),
            target: target.map(|(cpu, vector)| Target { cpu: cpu.0, vector }),
            raised: counts.raiser.raised,
            delivered: counts.taken,
            coalesced: counts.raiser.coalesced,
            held: counts.raiser.held,
            faulted: counts.raiser.refused,
            dropped: counts.raiser.dropped,
        })
    }

    fn emulated(&self) -> VectorReport {
        let (irqs, msix) = (&self.machine.function.irqs, &self.machine.msix);
        let counts = msix.counts();
        VectorReport {
            vector: MISCELLANEOUS,
            kind: VectorKind::Emulated,
            triggered: irqs.has_trigger(MISCELLANEOUS),
            masked: msix.is_masked(MISCELLANEOUS),
            pending: msix.is_pending(MISCELLANEOUS, irqs),
            index: None,
            handle: None,
            target: None,
            raised: counts.raised,
            delivered: counts.delivered,
            coalesced: counts.coalesced,
            held: counts.held,
            faulted: 0,
            dropped: counts.dropped,
        }
    }
}
